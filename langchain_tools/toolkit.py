"""All tools of one wallet, in the order of the contract."""

from collections.abc import Mapping
from typing import Final

from langchain_core.tools import BaseTool, BaseToolkit
from pydantic import ConfigDict, Field, PrivateAttr, SkipValidation

from langchain_tools.loop import WalletLoop
from langchain_tools.tools import (
    CheckBudgetTool,
    GetPaymentTool,
    ListPayeesTool,
    ListPaymentsTool,
    SendPaymentTool,
    SimulatePaymentTool,
    WalletTool,
    WithDesk,
    desk_of,
)
from mcp_wallet.contract.desk import Desk
from mcp_wallet.contract.tools import TOOLSETS, select_tools

_CLASSES: Final[Mapping[str, type[WalletTool]]] = {
    "send_payment": SendPaymentTool,
    "simulate_payment": SimulatePaymentTool,
    "check_budget": CheckBudgetTool,
    "get_payment": GetPaymentTool,
    "list_payments": ListPaymentsTool,
    "list_payees": ListPayeesTool,
}
"""Written out, not derived: a verb that is added to the contract is not offered here before somebody looked at it."""


class WalletToolkit(BaseToolkit):
    """The tools of one agent's wallet.

    Sync and async calls both work, in a running event loop as well; `langchain_tools.loop` says where they run.

    Args:
        wallet: A `mcp_wallet.PolicyWallet`, or anything with the six verbs of `mcp_wallet.contract.desk.Desk`.
        read_only: Leave out every tool that can pay.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    wallet: SkipValidation[Desk | WithDesk] = Field(exclude=True, repr=False)
    read_only: bool = False
    _loop: WalletLoop = PrivateAttr()

    def __init__(self, wallet: Desk | WithDesk, *, read_only: bool = False) -> None:
        """Take the wallet; nothing is asked of it yet."""
        super().__init__(wallet=wallet, read_only=read_only)  # type: ignore[call-arg]  # the plugin sees the parent's fields
        _, self._loop = desk_of(wallet)

    def get_tools(self) -> list[BaseTool]:
        """Return the tools, new ones at each call."""
        chosen = select_tools(toolsets=frozenset(TOOLSETS), read_only=self.read_only)
        return [_CLASSES[tool.name](self.wallet, loop=self._loop) for tool in chosen]
