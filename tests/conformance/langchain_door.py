"""What the tests of the LangChain door share: tools by name, and calls as a model makes them."""

from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from langchain_tools import WalletToolkit
from mcp_wallet.contract.desk import Desk


def tools_of(wallet: Desk, *, read_only: bool = False) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in WalletToolkit(wallet, read_only=read_only).get_tools()}


def call_of(name: str, arguments: dict[str, Any], call_id: str = "call_1") -> dict[str, Any]:
    return {"type": "tool_call", "name": name, "args": arguments, "id": call_id}


def said(message: object) -> str:
    """The text that the model reads."""
    assert isinstance(message, ToolMessage)
    assert isinstance(message.content, str)
    return message.content


def told(message: object) -> dict[str, Any]:
    """The fields that the program around the model gets."""
    assert isinstance(message, ToolMessage)
    assert isinstance(message.artifact, dict)
    return message.artifact
