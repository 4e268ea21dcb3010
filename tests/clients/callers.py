"""Ways to a wallet's server: each a `Caller` that carries calls and answers and knows nothing of the scenario."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from mcp import Client, StdioServerParameters

from mcp_wallet.control.environment import read_environment
from mcp_wallet.wiring.opening import open_wallet
from tests.clients.scenario import Answer, Caller
from tests.conformance.langchain_door import call_of, tools_of
from tests.conformance.mcp_door import text_of


@dataclass(frozen=True)
class Served:
    """How to start the server of one playground."""

    command: str
    args: list[str]
    env: dict[str, str]

    @property
    def parameters(self) -> dict[str, Any]:
        """Return it as every client's configuration has it."""
        return {"command": self.command, "args": self.args, "env": self.env}

    @property
    def text(self) -> str:
        """Return the same as JSON, to hand to another process."""
        return json.dumps(self.parameters)


class OwnClient:
    """The Python SDK that the server itself is made with."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.era = client.protocol_version

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self._client.list_tools()).tools]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        answer = await self._client.call_tool(tool, dict(arguments))
        return Answer(answer.is_error is True, answer.structured_content, text_of(answer))


@asynccontextmanager
async def own_client(served: Served, mode: str) -> AsyncIterator[Caller]:
    async with Client(StdioServerParameters(**served.parameters), mode=mode) as client:
        yield OwnClient(client)


class Lines:
    """A client in a process of its own: a line for each call, a line for each answer."""

    def __init__(self, process: asyncio.subprocess.Process, hello: Mapping[str, Any]) -> None:
        self._process, self._hello = process, hello
        self.era = str(hello["era"])

    async def tools(self) -> list[str]:
        return list(self._hello["tools"])

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"tool": tool, "arguments": arguments}).encode() + b"\n")
        return Answer(**await _line(self._process))


@asynccontextmanager
async def client_in(*command: str) -> AsyncIterator[Caller]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield Lines(process, await _line(process))
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.communicate()


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        assert process.stderr is not None
        raise AssertionError((await process.stderr.read()).decode()[-2000:])
    return dict(json.loads(line))


class Inspector:
    """The Inspector's command line: a client and a server for every call."""

    era = ""

    def __init__(self, program: Path, served: Served, config: Path) -> None:
        self._program = program
        config.write_text(json.dumps({"mcpServers": {"wallet": served.parameters}}))
        self._flags = (
            "--cli",
            "-q",
            "--format",
            "json",
            "--connect-timeout",
            "0",
            "--config",
            str(config),
            "--server",
            "wallet",
        )

    async def tools(self) -> list[str]:
        return [tool["name"] for tool in (await self._run("--method", "tools/list"))["tools"]]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        flags = ("--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments))
        answer = await self._run(*flags)
        text = "".join(block["text"] for block in answer["content"])
        return Answer(answer.get("isError", False), answer.get("structuredContent"), text)

    async def _run(self, *flags: str) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            str(self._program), *self._flags, *flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, errors = await process.communicate()
        assert process.returncode in {0, 5}, errors.decode()[-2000:]
        return dict(json.loads(out)["result"])


class LangChain:
    """The toolkit, in the process of the agent."""

    era = ""

    def __init__(self, tools: Mapping[str, BaseTool]) -> None:
        self._tools = tools

    async def tools(self) -> list[str]:
        return list(self._tools)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        message = await self._tools[tool].ainvoke(call_of(tool, dict(arguments)))
        assert isinstance(message, ToolMessage)
        return Answer(message.status == "error", message.artifact, str(message.content))


@asynccontextmanager
async def langchain_toolkit(served: Served) -> AsyncIterator[Caller]:
    environment = read_environment(served.env)
    wallet = await open_wallet(environment)
    try:
        yield LangChain(tools_of(wallet.desk(environment.agent_key)))
    finally:
        await wallet.close()
