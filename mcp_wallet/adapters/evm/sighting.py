"""The account as one node's newest final block has it, with what left it since the last look."""

from typing import Final

from mcp_wallet.adapters.evm.node import Node
from mcp_wallet.adapters.evm.testimony import LOCAL, final_number
from mcp_wallet.adapters.evm.wire import parse_number, parse_outgoing, parse_quantity
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.outflow import Outgoing, Sighting
from mcp_wallet.core.registry import Chain
from mcp_wallet.core.settlement_gate import TRANSFER_TOPIC

LOG_BLOCKS_MAX: Final = 1_000
"""So many blocks a question: public nodes refuse more."""


async def sight(
    node: Node, chain: Chain, *, account: Address, tokens: tuple[Address, ...], after: int | None
) -> Sighting | None:
    """Return the account now, None when no block is final that was not looked at.

    Args:
        tokens: The chain's registered ones.
        after: The block of the last look; None for the first, which looks at nothing that was before it.

    Raises:
        OutsideError: `NODE_UNAVAILABLE`.
    """
    block = await final_number(node, chain)
    if block is None or (after is not None and (block == after or (block < after and chain.name != LOCAL))):
        return None
    nonce = await node.ask("eth_getTransactionCount", [account, hex(block)], parse_number)
    native_wei = await node.ask("eth_getBalance", [account, hex(block)], parse_quantity)
    transfers: list[Outgoing] = []
    first = block + 1 if after is None or not tokens else after + 1
    for start in range(first, block + 1, LOG_BLOCKS_MAX):
        end = min(block, start + LOG_BLOCKS_MAX - 1)
        transfers += await _transfers(node, account, tokens, start, end)
    return Sighting(block=block, nonce=nonce, native_wei=native_wei, transfers=tuple(transfers))


async def _transfers(
    node: Node, account: Address, tokens: tuple[Address, ...], start: int, end: int
) -> tuple[Outgoing, ...]:
    query = {
        "address": list(tokens),
        "topics": [TRANSFER_TOPIC, "0x" + account[2:].rjust(64, "0")],
        "fromBlock": hex(start),
        "toBlock": hex(end),
    }
    return await node.ask("eth_getLogs", [query], lambda value: parse_outgoing(value, account=account, tokens=tokens))
