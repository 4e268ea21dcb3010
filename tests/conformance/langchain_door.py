"""What the tests of the LangChain door share: tools by name, calls as a model makes them, and a real ledger behind."""

import time
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from langchain_tools import WalletToolkit
from langchain_tools.tools import WithDesk
from mcp_wallet.adapters.clock import wall_clock
from mcp_wallet.contract.desk import Desk
from mcp_wallet.payments.desk import AgentDesk
from mcp_wallet.payments.pipeline import Pipeline
from mcp_wallet.payments.settle import Settlement
from mcp_wallet.payments.suppression import Suppressed
from mcp_wallet.ports import Chains
from tests.fakechain import FakeChain, FakeSigner
from tests.worlds import LOCAL, LedgerWorld


def tools_of(wallet: Desk | WithDesk, *, read_only: bool = False) -> dict[str, BaseTool]:
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


def desk_at(world: LedgerWorld, chain: FakeChain, signer: FakeSigner) -> AgentDesk:
    """The desk of the world's agent, over the real ledger and gates, with a chain of the test's own."""
    chains = Chains({LOCAL: chain})
    pipeline = Pipeline(world.ledger, chains, Settlement(world.ledger, chains, signer, world.settings, time.monotonic))
    return AgentDesk(
        world.api_key,
        world.ledger,
        pipeline,
        ready=_ready,
        answered=lambda: None,
        checkpoint=_no_checkpoint,
        suppressed=Suppressed(wall_clock),
    )


async def _ready() -> None:
    """Nothing to recover."""


async def _no_checkpoint() -> str:
    return ""
