"""The door over a fake desk on HTTP, for the protocol's conformance suite, which speaks nothing else.

`python -m tests.conformance.http_server wallet` or `fixtures`. The product itself offers stdio alone; this stays on
loopback and lives as long as its stdin.
"""

import asyncio
import socket
import sys

import uvicorn

from tests.conformance.fixture_tools import FixtureServer
from tests.conformance.mcp_door import server_of
from tests.fakes import FakeDesk

SERVERS = {"wallet": lambda: server_of(FakeDesk()), "fixtures": FixtureServer}


async def main() -> None:
    """Print the address, serve until stdin closes."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = SERVERS[sys.argv[1]]().streamable_http_app()
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)  # noqa: T201  who started it reads it
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main())
