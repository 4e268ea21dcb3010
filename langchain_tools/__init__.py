"""The wallet as LangChain tools: the same names, texts and schemas as over MCP."""

from langchain_tools.toolkit import WalletToolkit
from langchain_tools.tools import (
    CheckBudgetTool,
    GetPaymentTool,
    ListPayeesTool,
    ListPaymentsTool,
    SendPaymentTool,
    SimulatePaymentTool,
)

__all__ = [
    "CheckBudgetTool",
    "GetPaymentTool",
    "ListPayeesTool",
    "ListPaymentsTool",
    "SendPaymentTool",
    "SimulatePaymentTool",
    "WalletToolkit",
]
