"""For the demo and the tests: start the chain as a child process, fund accounts, read balances.

Everything goes over plain JSON-RPC, so the helpers work with anvil too; py-evm is never imported here.
"""

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final, Self, cast

from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.transaction import UnsignedTransaction, assemble_signed, encode_unsigned, signing_hash
from mcp_wallet.devnet import DEV_USDC_ADDRESS, DevAccount
from mcp_wallet.devnet.token import DEPLOYER, mint_call

FUNDER: Final = DEPLOYER
"""The one who may mint the test dollar."""
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 5.0
RECEIPT_POLLS: Final = 1_000
NONCE_RACES_MAX: Final = 50
_POLL_SECONDS: Final = 0.01
_BALANCE_OF: Final = "0x70a08231"
_TIP_WEI: Final = 10**9
_RACES: Final = ("nonce too low", "already known", "already imported", "underpriced")


class RpcRefusal(Exception):  # noqa: N818  a node's well-formed no
    """The node answered with an error; its message is this one's."""


@dataclass(slots=True, kw_only=True)
class Devnet:
    """A running development chain; it ends with `stop`, or with this process."""

    url: str
    chain_number: int
    usdc: str
    process: subprocess.Popen[str]

    async def stop(self) -> None:
        """End the chain; its state is gone."""
        await asyncio.to_thread(_end, self.process)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def start_devnet(
    *, port: int = 0, automine: bool = True, token: bool = True, timeout_seconds: float = START_SECONDS
) -> Devnet:
    """Return a development chain that answers, on 127.0.0.1.

    Args:
        port: 0 takes any free one.
        automine: Make a block for each transaction; else only on `evm_mine`.
        token: Deploy the test dollar at `DEV_USDC_ADDRESS`.
        timeout_seconds: How long the start may take; about one second is normal.

    Raises:
        OwnerError: the `devnet` extra is not installed.
        OutsideError: it did not start, or not in time.
    """
    if importlib.util.find_spec("eth") is None:
        raise OwnerError(
            ReasonCode.NODE_UNAVAILABLE, "The development chain is an extra: run `pip install 'mcp-wallet[devnet]'`."
        )
    command = [sys.executable, "-m", "mcp_wallet.devnet", "--until-stdin-closes", "--port", str(port)]
    command += ["--token"] if token else []
    command += [] if automine else ["--no-automine"]
    process = await asyncio.to_thread(_spawn, command)
    try:
        line = await asyncio.wait_for(asyncio.to_thread(cast("IO[str]", process.stdout).readline), timeout_seconds)
        ready = json.loads(line)
        return Devnet(url=ready["url"], chain_number=ready["chainId"], usdc=ready["usdc"] or "", process=process)
    except (TimeoutError, ValueError) as problem:
        await asyncio.shield(asyncio.to_thread(_end, process))
        raise OutsideError(
            ReasonCode.NODE_UNAVAILABLE, "The development chain did not start; what it said is on stderr."
        ) from problem
    except BaseException:
        process.kill()
        raise


async def fund(url: str, address: str, *, wei: int = 0, usdc_units: int = 0) -> None:
    """Send native coin and mint test dollars to an account; both are in a block on return.

    Several callers may do so at once: a nonce taken by another is tried again. Where blocks are not made by
    themselves, one is asked for.

    Args:
        url: The chain.
        address: Who gets it.
        wei: Native coin, from `DEV_ACCOUNTS[9]`.
        usdc_units: Base units of the test dollar (1 USDC = 1_000_000).

    Raises:
        RpcRefusal: the node refused.
        OutsideError: the node did not answer, or made no block.
    """
    recipient = Address(address.lower())
    if wei:
        await _transact(url, FUNDER, to=recipient, value_wei=wei, data=b"")
    if usdc_units:
        minting = mint_call(recipient, usdc_units)
        await _transact(url, FUNDER, to=Address(DEV_USDC_ADDRESS), value_wei=0, data=minting)


async def spend_nonces(url: str, account: DevAccount, *, until: int) -> None:
    """Send transfers of nothing from an account to itself until its next nonce is `until`; errors as `fund`.

    A home that outlived its chain goes on where its ledger stands: see `serve --dev-home`.
    """
    while await _quantity(url, "eth_getTransactionCount", [account.address, "latest"]) < until:
        await _transact(url, account, to=Address(account.address), value_wei=0, data=b"")


async def usdc_balance(url: str, address: str, *, token: str = DEV_USDC_ADDRESS) -> int:
    """Return the account's test dollars in base units, as of the newest block."""
    data = _BALANCE_OF + address[2:].lower().rjust(64, "0")
    return int(cast("str", await rpc(url, "eth_call", [{"to": token, "data": data}, "latest"])), 16)


async def native_balance(url: str, address: str) -> int:
    """Return the account's native coin in wei, as of the newest block."""
    return await _quantity(url, "eth_getBalance", [address, "latest"])


async def rpc(url: str, method: str, params: Sequence[object] = ()) -> object:
    """Return the result of one JSON-RPC call.

    Raises:
        RpcRefusal: the node answered with an error.
        OutsideError: `NODE_UNAVAILABLE` for whatever else happened.
    """
    from aiohttp import ClientError, ClientSession  # noqa: PLC0415  importing this file stays light

    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    try:
        async with ClientSession() as session, session.post(url, json=body) as response:
            answer = await response.json()
    except (ClientError, OSError, ValueError) as problem:
        raise OutsideError(ReasonCode.NODE_UNAVAILABLE, "The development chain did not answer.") from problem
    if "error" in answer:
        raise RpcRefusal(answer["error"]["message"])
    return cast("object", answer["result"])


# ------------------------------------------------------------------------------------------------------ transactions


async def _transact(url: str, account: DevAccount, *, to: Address, value_wei: int, data: bytes) -> None:
    call = {"from": account.address, "to": to, "value": hex(value_wei), "data": "0x" + data.hex()}
    gas_limit = await _quantity(url, "eth_estimateGas", [call]) * 6 // 5
    for race in range(NONCE_RACES_MAX):
        try:
            transaction_hash = await _send(url, account, to=to, value_wei=value_wei, data=data, gas_limit=gas_limit)
        except RpcRefusal as problem:
            if race + 1 == NONCE_RACES_MAX or not any(words in str(problem).lower() for words in _RACES):
                raise
        else:
            await _wait_for_block(url, transaction_hash)
            return


async def _send(url: str, account: DevAccount, *, to: Address, value_wei: int, data: bytes, gas_limit: int) -> str:
    """Sign with the account's next nonce and hand over; return the hash, computed here."""
    from coincurve import PrivateKey  # noqa: PLC0415  importing this file stays light

    transaction = UnsignedTransaction(
        chain_number=await _quantity(url, "eth_chainId", []),
        nonce=await _quantity(url, "eth_getTransactionCount", [account.address, "pending"]),
        priority_fee_wei=_TIP_WEI,
        max_fee_wei=2 * await _quantity(url, "eth_gasPrice", []) + _TIP_WEI,
        gas_limit=gas_limit,
        to=to,
        value_wei=value_wei,
        data=data,
    )
    unsigned = encode_unsigned(transaction)
    key = PrivateKey(bytes.fromhex(account.private_key[2:]))
    signature: bytes = key.sign_recoverable(signing_hash(unsigned), hasher=None)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    raw = assemble_signed(unsigned, signature[64], r, s)
    await rpc(url, "eth_sendRawTransaction", ["0x" + raw.hex()])
    return "0x" + signing_hash(raw).hex()


async def _wait_for_block(url: str, transaction_hash: str) -> None:
    for poll in range(RECEIPT_POLLS):
        receipt = await rpc(url, "eth_getTransactionReceipt", [transaction_hash])
        if receipt is not None:
            if cast("dict[str, str]", receipt)["status"] != "0x1":
                raise RpcRefusal("the funding transaction reverted")
            return
        if poll == 0:
            await rpc(url, "evm_mine")
        await asyncio.sleep(_POLL_SECONDS)
    raise OutsideError(ReasonCode.NODE_UNAVAILABLE, "The development chain makes no blocks.")


async def _quantity(url: str, method: str, params: Sequence[object]) -> int:
    return int(cast("str", await rpc(url, method, params)), 16)


# ------------------------------------------------------------------------------------------------------------ process


def _spawn(command: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  our own


def _end(process: "subprocess.Popen[str]") -> None:
    """Close the child's stdin, which ends it; kill it when that is not enough."""
    with process:
        cast("IO[str]", process.stdin).close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
