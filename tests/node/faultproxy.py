"""A JSON-RPC proxy on the loopback that fails on purpose, and remembers what it was asked.

In a test: `async with FaultProxy(upstream) as proxy: proxy.fault = Fault.DROP_AFTER`. As a process, for tests that kill
the wallet: `python -m tests.node.faultproxy UPSTREAM [--fault hold]` prints its address as the first line; it is then
steered by JSON-RPC itself: `proxy_fault [name]`, `proxy_calls [method]`, `proxy_wait [method, count]`,
`proxy_release [forward]`.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from aiohttp import ClientError, ClientSession, web

SEND = "eth_sendRawTransaction"
LIE = "0x" + "ab" * 32
BODY_BYTES_MAX = 1 << 24


class Fault(StrEnum):
    """What happens to `eth_sendRawTransaction`."""

    NONE = "none"
    HOLD = "hold"  # nothing reaches the node and nothing is answered, until released
    DROP_BEFORE = "drop_before"  # the connection breaks; the node has not seen the bytes
    DROP_AFTER = "drop_after"  # the node has taken the bytes; the connection breaks without an answer
    LIE_HASH = "lie_hash"  # the node has taken the bytes; the answer names another hash
    ERROR503_AFTER = "error503_after"  # the node has taken the bytes; a gateway answers 503


@dataclass(frozen=True)
class Call:
    """One request, as it arrived."""

    method: str
    params: Any


@dataclass
class FaultProxy:
    """Stands before one node.

    Args:
        upstream: The node's address.
        fault: For the next sends; may be changed at any time.
        answers: Per method, what is answered without asking the node: a result, bytes as the whole body, or a function
            of the call that returns one of these.
        calls: Everything that was asked, in order.
    """

    upstream: str
    fault: Fault = Fault.NONE
    answers: dict[str, object] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    url: str = ""
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _held: list[asyncio.Future[bool]] = field(default_factory=list)
    _session: ClientSession | None = None
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen; 0 picks a free port. `url` says where."""
        self._session = ClientSession()
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Drop what is held and stop listening."""
        self.release(forward=False)
        if self._runner is not None and self._session is not None:
            await self._runner.cleanup()
            await self._session.close()

    def count(self, method: str = SEND) -> int:
        """Return how often this was asked."""
        return sum(call.method == method for call in self.calls)

    async def seen(self, method: str = SEND, count: int = 1) -> None:
        """Wait until this was asked so often."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.count(method) >= count)

    def release(self, *, forward: bool = True) -> None:
        """Let held sends go on to the node, or drop them."""
        for held in self._held:
            if not held.done():
                held.set_result(forward)
        self._held.clear()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        message = json.loads(body)
        if not isinstance(message, dict):
            return await self._forward(body)
        method, params = message.get("method", ""), message.get("params", [])
        if method.startswith("proxy_"):
            return _result(message, await self._steer(method, params))
        async with self._arrived:
            self.calls.append(Call(method, params))
            self._arrived.notify_all()
        if method in self.answers:
            answer = self.answers[method]
            answer = answer(self.calls[-1]) if callable(answer) else answer
            return web.Response(body=answer) if isinstance(answer, bytes) else _result(message, answer)
        if method == SEND:
            return await self._send(request, message, body)
        return await self._forward(body)

    async def _send(self, request: web.Request, message: Mapping[str, Any], body: bytes) -> web.StreamResponse:
        fault = self.fault
        if fault is Fault.DROP_BEFORE or (fault is Fault.HOLD and not await self._hold()):
            return _broken(request)
        response = await self._forward(body)
        if fault is Fault.DROP_AFTER:
            return _broken(request)
        if fault is Fault.LIE_HASH:
            return _result(message, LIE)
        if fault is Fault.ERROR503_AFTER:
            return web.Response(status=503, text="busy")
        return response

    async def _hold(self) -> bool:
        held: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._held.append(held)
        return await held

    async def _forward(self, body: bytes) -> web.StreamResponse:
        assert self._session is not None
        try:
            async with self._session.post(
                self.upstream, data=body, headers={"content-type": "application/json"}
            ) as response:
                return web.Response(body=await response.read(), status=response.status, content_type="application/json")
        except ClientError:
            return web.Response(status=502)

    async def _steer(self, method: str, params: list[Any]) -> object:
        if method == "proxy_wait":
            await self.seen(*params)
        verbs: dict[str, Callable[[], object]] = {
            "proxy_fault": lambda: setattr(self, "fault", Fault(params[0])),
            "proxy_calls": lambda: self.count(*params),
            "proxy_release": lambda: self.release(forward=bool(params[0]) if params else True),
            "proxy_wait": lambda: self.count(*params[:1]),
        }
        return verbs[method]()


def _result(message: Mapping[str, Any], result: object) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": message.get("id"), "result": result})


def _broken(request: web.Request) -> web.StreamResponse:
    """Break the connection instead of answering."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A JSON-RPC proxy that fails on purpose.")
    parser.add_argument("upstream")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault", type=Fault, default=Fault.NONE, choices=list(Fault))
    options = parser.parse_args()
    proxy = FaultProxy(options.upstream, fault=options.fault)
    await proxy.start(options.port)
    print(proxy.url, flush=True)  # noqa: T201  whoever started us waits for this line
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
