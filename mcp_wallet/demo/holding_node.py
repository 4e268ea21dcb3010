"""A node that can hold a transaction back: the demo's way to stop the world in the middle of a payment.

It forwards every JSON-RPC call to the development chain. Asked to hold, it lets the next `eth_sendRawTransaction` reach
the chain and never answers it, so that the caller cannot know whether it was paid.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

from aiohttp import ClientSession, web

SEND: Final = "eth_sendRawTransaction"


class HoldingNode:
    """A loopback JSON-RPC proxy; `url` answers while it is entered.

    Args:
        upstream: The chain that really answers.
    """

    def __init__(self, upstream: str) -> None:
        """Listen on nothing yet."""
        self._upstream = upstream
        self._holding = False
        self.held = asyncio.Event()
        self.sends = 0
        self.url = ""

    def hold_next_send(self) -> None:
        """Forward the next raw transaction and never answer it; `held` is set once it has been forwarded."""
        self._holding = True
        self.held.clear()

    async def __aenter__(self) -> Self:
        """Start to answer on a free port of 127.0.0.1."""
        self._session = ClientSession()
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post("/", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop answering."""
        await self._runner.cleanup()
        await self._session.close()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        sending = SEND.encode() in body
        self.sends += sending
        async with self._session.post(
            self._upstream, data=body, headers={"content-type": "application/json"}
        ) as response:
            answer = await response.read()
        if sending and self._holding:
            self._holding = False
            self.held.set()
            await asyncio.Event().wait()
        return web.Response(body=answer, content_type="application/json")
