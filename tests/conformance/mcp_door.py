"""What the tests of the MCP door share: a server over a fake desk, and a client of each protocol era."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from mcp import Client
from mcp.types import CallToolResult, ReadResourceResult, TextContent, TextResourceContents

from mcp_wallet.contract.desk import Desk
from mcp_wallet.contract.tools import parse_toolsets
from mcp_wallet.doors.mcp.server import WalletServer, build_server

ERAS: Final = ("legacy", "auto")
"""The 2025-11-25 handshake, and the client's own choice, which is 2026-07-28."""


def opener(desk: Desk) -> Callable[[], Awaitable[Desk]]:
    async def open_desk() -> Desk:
        return desk

    return open_desk


def server_of(desk: Desk, *, read_only: bool = False, toolsets: str = "") -> WalletServer:
    return build_server(opener(desk), read_only=read_only, toolsets=parse_toolsets(toolsets), version="9.8.7")


@asynccontextmanager
async def client_of(server: WalletServer, era: str) -> AsyncIterator[Client]:
    async with Client(server, mode=era) as client:
        yield client
    await server.aclose()


def json_of(read: ReadResourceResult) -> dict[str, object]:
    (found,) = read.contents
    assert isinstance(found, TextResourceContents)
    assert found.mime_type == "application/json"
    return dict(json.loads(found.text))


def text_of(answer: CallToolResult) -> str:
    (block,) = answer.content
    assert isinstance(block, TextContent)
    return block.text
