"""langchain-mcp-adapters: the wallet's tools as LangChain tools; calls come as lines, answers go as lines."""

# mypy: ignore-errors
# Runs in .tools/clients, where the product is not installed.

import asyncio
import json
import sys

from langchain_core.tools import ToolException
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools


async def called(tool, arguments):
    try:
        message = await tool.ainvoke({"type": "tool_call", "name": tool.name, "args": arguments, "id": "call_1"})
    except ToolException as error:
        return {"error": True, "structured": None, "text": str(error)}
    text = message.content if isinstance(message.content, str) else "".join(part["text"] for part in message.content)
    structured = (message.artifact or {}).get("structured_content")
    return {"error": message.status == "error", "structured": structured, "text": text}


async def main() -> None:
    client = MultiServerMCPClient({"wallet": {"transport": "stdio", **json.loads(sys.argv[1])}})
    async with client.session("wallet") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        print(json.dumps({"era": "", "tools": list(tools)}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            call = json.loads(line)
            print(json.dumps(await called(tools[call["tool"]], call["arguments"])), flush=True)


asyncio.run(main())
