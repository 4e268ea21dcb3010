"""What the story needs: a chain, a home, a real server behind a real MCP client, and the operator's command line."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from mcp_wallet.demo.holding_node import HoldingNode
from mcp_wallet.devnet.client import rpc, usdc_balance
from mcp_wallet.wiring.playground import ALICE, BOB, MALLORY, Playground

HONEST: Final = ("-m", "mcp_wallet", "serve")
TAMPERED: Final = ("-m", "mcp_wallet.demo.tampering")
POLLS_MAX: Final = 600
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and its client."""

    client: Client
    pid_file: Path

    async def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Return the structured answer of a tool; a tool error is returned as `{"error": text}`."""
        answer = await self.client.call_tool(tool, arguments)
        if answer.is_error:
            return {"error": answer.content[0].text if answer.content else ""}  # type: ignore[union-attr]
        return dict(answer.structured_content or {})

    async def pay(self, **arguments: object) -> dict[str, Any]:
        """Send a payment and ask until it is final or waits for a person; `replayed` is as the first answer said."""
        first = await self.call("send_payment", **arguments)
        return await self.settled(first, "submitted", "unknown") | {"replayed": first.get("replayed", False)}

    async def settled(self, answer: dict[str, Any], *moving: str) -> dict[str, Any]:
        """Ask for a payment until its status is none of these."""
        for _ in range(POLLS_MAX):
            if answer.get("status") not in moving:
                break
            await asyncio.sleep(POLL_SECONDS)
            answer = await self.call("get_payment", payment_id=answer["payment_id"])
        return answer

    def kill(self) -> None:
        """Kill the server as a crash would: SIGKILL, no goodbye."""
        os.kill(int(self.pid_file.read_text()), signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything on it is real but the money."""

    folder: Path
    playground: Playground
    chain_url: str
    node: HoldingNode

    @asynccontextmanager
    async def server(self, command: tuple[str, ...] = HONEST) -> AsyncIterator[Server]:
        """Give a server that was just started, with a client that speaks MCP to it over stdio."""
        pid_file = self.folder / "server.pid"
        parameters = StdioServerParameters(
            command="/bin/sh",
            args=["-c", 'echo $$ >"$0"; exec "$@"', str(pid_file), sys.executable, *command],
            env={**_inherited(), **self.playground.environ},
        )
        with (self.folder / "server.log").open("ab") as log:
            async with Client(stdio_client(parameters, errlog=log)) as client:  # type: ignore[arg-type]
                yield Server(client, pid_file)

    async def operator(self, *arguments: str, token: str = "") -> tuple[int, dict[str, Any]]:
        """Run an operator's command, the owner's without another's token; return its exit code and its JSON."""
        code, out = await self.run(*arguments, token=token)
        return code, json.loads(out or b"{}")

    async def run(self, *arguments: str, token: str = "") -> tuple[int, bytes]:
        """Run an operator's command and return its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mcp_wallet",
            *arguments,
            "--json",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                **_inherited(),
                **self.playground.environ,
                "MCP_WALLET_OPERATOR_TOKEN": token or self.playground.operator_token,
            },
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out

    async def balances(self) -> dict[str, int]:
        """Return everybody's test dollars in base units."""
        accounts = {"wallet": self.playground.address, "alice": ALICE, "bob": BOB, "mallory": MALLORY}
        return {name: await usdc_balance(self.chain_url, address) for name, address in accounts.items()}

    async def account_nonce(self) -> int:
        """Return how many transactions of the wallet the chain has mined."""
        answer = await rpc(self.chain_url, "eth_getTransactionCount", [self.playground.address, "latest"])
        return int(str(answer), 16)


def _inherited() -> Mapping[str, str]:
    """Return this process's environment without any of our names: the servers get their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MCP_WALLET_")}
