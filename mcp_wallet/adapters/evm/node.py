"""One JSON-RPC node: what it answers, parsed, or an error that says so in one sentence.

web3 is imported off the event loop at the first use, and only its provider is used: no middleware, no formatters, no
retries, no CCIP-read (which lets a contract choose an address that we would fetch).
"""

import asyncio
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from mcp_wallet.adapters.evm.provider import open_provider
from mcp_wallet.adapters.evm.wire import parse_number
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Chain

if TYPE_CHECKING:
    from web3 import AsyncHTTPProvider
    from web3.types import RPCEndpoint

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcError:
    """A node's well-formed "no": untrusted text and, for a revert, its data."""

    code: int
    message: str
    data: str = ""


class Node:
    """Asks one node; `OutsideError(NODE_UNAVAILABLE)` for whatever is not an answer of the expected form."""

    def __init__(self, url: str, chain: Chain) -> None:
        self._url = url
        self._chain = chain
        self._provider: AsyncHTTPProvider | None = None
        self._opening = asyncio.Lock()
        self._is_checked = False

    async def warm(self) -> None:
        """Import web3 in a thread and open the session; nothing is sent."""
        async with self._opening:
            if self._provider is None:
                await asyncio.to_thread(importlib.import_module, "web3")
                self._provider = open_provider(self._url)

    async def check_chain(self) -> None:
        """Make sure, once, that the node is on the configured chain.

        Raises:
            OutsideError: `CHAIN_MISMATCH`, `NODE_UNAVAILABLE`.
        """
        if not self._is_checked:
            await self.check_chain_again()

    async def check_chain_again(self) -> None:
        """Make sure, now, that the node is on the configured chain; raises as `check_chain`."""
        number = await self.ask("eth_chainId", [], parse_number)
        if number == self._chain.number:
            self._is_checked = True
            return
        raise OutsideError(
            ReasonCode.CHAIN_MISMATCH,
            f"The node configured for {self._chain.name} serves chain {number}, not {self._chain.number}; "
            "nothing was paid. The operator must correct its address.",
            {"observed": str(number), "expected": str(self._chain.number)},
            retryable=False,
        )

    async def ask(self, method: str, params: Sequence[object], parse: Callable[[object], T]) -> T:
        """Return the parsed answer.

        Args:
            method: JSON-RPC method.
            params: Its positional parameters.
            parse: Raises `ValueError` for a malformed answer.

        Raises:
            OutsideError: `NODE_UNAVAILABLE` also for a well-formed refusal.
        """
        answer = await self.try_ask(method, params, parse)
        if isinstance(answer, RpcError):
            raise self.unavailable("refused", method)
        return answer

    async def try_ask(self, method: str, params: Sequence[object], parse: Callable[[object], T]) -> T | RpcError:
        """Return the parsed answer or the node's refusal as a value; raises as `ask` for anything else."""
        reply = await self._request(method, params)
        try:
            return _parse_error(reply["error"]) if reply.get("error") is not None else parse(reply["result"])
        except (ValueError, KeyError) as problem:
            raise self.unavailable("gave a malformed answer to", method) from problem

    async def _request(self, method: str, params: Sequence[object]) -> dict[str, object]:
        await self.warm()
        from aiohttp import ClientError  # noqa: PLC0415  start-up time: comes with web3

        provider = cast("AsyncHTTPProvider", self._provider)
        try:
            reply: object = await provider.make_request(cast("RPCEndpoint", method), list(params))
        except (OSError, ClientError) as problem:
            raise self.unavailable("could not be reached for", method) from problem
        except ValueError as problem:
            raise self.unavailable("gave a malformed answer to", method) from problem
        if not isinstance(reply, dict):
            raise self.unavailable("gave a malformed answer to", method)
        return reply

    def unavailable(self, what: str, method: str) -> OutsideError:
        """Return the error that says so of this node; what it said itself is never quoted."""
        return OutsideError(
            ReasonCode.NODE_UNAVAILABLE, f"The node of {self._chain.name} {what} {method}; try again later."
        )

    async def close(self) -> None:
        """Close the session; a later call opens a new one."""
        async with self._opening:
            if self._provider is not None:
                await self._provider.disconnect()
                self._provider = None


def _parse_error(value: object) -> RpcError:
    if not isinstance(value, dict):
        raise ValueError("not an error object")  # noqa: TRY004  one error for every malformed answer
    code, message, data = value.get("code"), value.get("message"), value.get("data")
    return RpcError(
        code=code if isinstance(code, int) else 0,
        message=message if isinstance(message, str) else "",
        data=data if isinstance(data, str) else "",
    )
