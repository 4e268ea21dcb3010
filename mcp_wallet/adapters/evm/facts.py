"""What one node says now about one payment: everything side by side, nothing cached, nothing guessed."""

import asyncio
import re
from dataclasses import dataclass

from mcp_wallet.adapters.evm.fees import limit_gas, quote_fees
from mcp_wallet.adapters.evm.node import Node, RpcError
from mcp_wallet.adapters.evm.reverts import revert_reason
from mcp_wallet.adapters.evm.wire import (
    Block,
    FeeHistory,
    parse_block,
    parse_data,
    parse_fee_history,
    parse_number,
    parse_quantity,
)
from mcp_wallet.core.decision import Facts
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.transaction import encode_transfer

FEE_HISTORY_BLOCKS = 10
FEE_PERCENTILE = 50

_BALANCE_OF = "0x70a08231"
_TRUE = "0x" + "1".rjust(64, "0")
_WORD_CHARACTERS = 66
_DELEGATION = re.compile(r"0xef0100[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Simulation:
    """What the node expects of the exact transfer; `revert` is empty when it passes."""

    revert: str
    gas_limit: int | None


async def measure_facts(node: Node, draft: PaymentDraft, *, fee_cap_wei: int) -> Facts:
    """Return the facts of one payment by one node.

    Args:
        node: Whom to ask.
        draft: The payment; its sender is the wallet.
        fee_cap_wei: Most that its fee may be.

    Raises:
        OutsideError: `NODE_UNAVAILABLE`, `CHAIN_MISMATCH`.
    """
    await node.check_chain()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(node.check_chain_again())
            block = group.create_task(_latest_block(node))
            history = group.create_task(_fee_history(node))
            nonce = group.create_task(_account_nonce(node, draft))
            native_wei = group.create_task(_native_balance(node, draft))
            token_units = group.create_task(_token_balance(node, draft))
            code = group.create_task(_recipient_code(node, draft))
            passing = group.create_task(_simulate(node, draft))
    except ExceptionGroup as problems:
        raise _foremost(problems) from problems
    is_token = draft.asset.token is not None
    simulation = passing.result()
    if is_token and token_units.result() is None:
        simulation = _Simulation(revert="there is no token at the registered address", gas_limit=None)
    fees = quote_fees(history.result(), gas_limit=simulation.gas_limit, fee_cap_wei=fee_cap_wei)
    return Facts(
        source=f"node:{draft.chain.name}",
        block_time_ms=block.result().timestamp_seconds * 1000,
        account_nonce=nonce.result(),
        asset_balance_units=token_units.result() if is_token else native_wei.result(),
        native_balance_wei=native_wei.result(),
        gas_limit=simulation.gas_limit,
        max_fee_wei=fees.max_fee_wei,
        priority_fee_wei=fees.priority_fee_wei,
        simulation_revert=simulation.revert,
        recipient_code=code.result(),
    )


def _foremost(problems: ExceptionGroup[Exception]) -> Exception:
    """Return the error that says most: another chain explains every other failure of a node."""
    return min(problems.exceptions, key=lambda p: isinstance(p, OutsideError) and p.code != ReasonCode.CHAIN_MISMATCH)


async def _latest_block(node: Node) -> Block:
    return await node.ask("eth_getBlockByNumber", ["latest", False], parse_block)


async def _fee_history(node: Node) -> FeeHistory:
    return await node.ask("eth_feeHistory", [hex(FEE_HISTORY_BLOCKS), "latest", [FEE_PERCENTILE]], parse_fee_history)


async def account_nonce(node: Node, account: Address) -> int:
    """Return how many transactions of the account the node's newest block knows; errors as `measure_facts`."""
    return await node.ask("eth_getTransactionCount", [account, "latest"], parse_number)


async def _account_nonce(node: Node, draft: PaymentDraft) -> int:
    return await account_nonce(node, draft.sender)


async def _native_balance(node: Node, draft: PaymentDraft) -> int:
    return await node.ask("eth_getBalance", [draft.sender, "latest"], parse_quantity)


async def _token_balance(node: Node, draft: PaymentDraft) -> int | None:
    """Return the wallet's balance of the token; None for a native payment, or when no token answers there."""
    if draft.asset.token is None:
        return None
    call = {"to": draft.asset.token, "data": _BALANCE_OF + draft.sender[2:].rjust(64, "0")}
    answer = await node.try_ask("eth_call", [call, "latest"], parse_data)
    if isinstance(answer, RpcError):
        _require_revert(node, answer)
        return None
    return int(answer, 16) if len(answer) == _WORD_CHARACTERS else None


async def _recipient_code(node: Node, draft: PaymentDraft) -> str:
    code = await node.ask("eth_getCode", [draft.to, "latest"], parse_data)
    if code == "0x":
        return "none"
    return "delegated" if _DELEGATION.fullmatch(code) else "contract"


async def _simulate(node: Node, draft: PaymentDraft) -> _Simulation:
    """Return what `eth_call` and `eth_estimateGas` say of the exact transfer; the call's reason comes first."""
    call = _transfer_call(draft)
    estimate, answer = await asyncio.gather(
        node.try_ask("eth_estimateGas", [call], parse_number), node.try_ask("eth_call", [call, "latest"], parse_data)
    )
    if isinstance(answer, RpcError):
        return _Simulation(revert=_require_revert(node, answer), gas_limit=None)
    if isinstance(estimate, RpcError):
        return _Simulation(revert=_require_revert(node, estimate), gas_limit=None)
    if draft.asset.token is not None and answer not in (_TRUE, "0x"):
        return _Simulation(revert="the token answers that it would not transfer", gas_limit=None)
    return _Simulation(revert="", gas_limit=limit_gas(estimate))


def _transfer_call(draft: PaymentDraft) -> dict[str, str]:
    if draft.asset.token is None:
        return {"from": draft.sender, "to": draft.to, "value": hex(draft.amount_units)}
    data = encode_transfer(draft.to, draft.amount_units)
    return {"from": draft.sender, "to": draft.asset.token, "data": "0x" + data.hex()}


def _require_revert(node: Node, refusal: RpcError) -> str:
    """Return why the chain would refuse; raise when the node only refused to answer."""
    reason = revert_reason(refusal)
    if reason is None:
        raise node.unavailable("refused", "a simulation")
    return reason
