"""A client of the Python SDK's first major version: reads calls from stdin, a JSON line each, and answers in lines."""

# mypy: ignore-errors
# Runs in .tools/clients, where the product is not installed.

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters, stdio_client


async def main() -> None:
    async with (
        stdio_client(StdioServerParameters(**json.loads(sys.argv[1]))) as pipes,
        ClientSession(*pipes) as session,
    ):
        hello = await session.initialize()
        tools = await session.list_tools()
        print(json.dumps({"era": hello.protocolVersion, "tools": [tool.name for tool in tools.tools]}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            call = json.loads(line)
            answer = await session.call_tool(call["tool"], call["arguments"])
            text = "".join(block.text for block in answer.content)
            told = {"error": answer.isError, "structured": answer.structuredContent, "text": text}
            print(json.dumps(told), flush=True)


asyncio.run(main())
