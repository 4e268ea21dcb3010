"""Does each tool keep LangChain's own rules for tools? Their standard suite, over a fake desk."""

from collections.abc import Mapping
from typing import Any, Final

from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from langchain_tools import (
    CheckBudgetTool,
    GetPaymentTool,
    ListPayeesTool,
    ListPaymentsTool,
    SendPaymentTool,
    SimulatePaymentTool,
)
from langchain_tools.tools import WalletTool
from mcp_wallet.contract.tools import AGENT_VERBS
from mcp_wallet.core.intent import PaymentRequest, parse_request
from mcp_wallet.core.registry import SHIPPED
from tests.fakes import AGENT, BOOK, FakeDesk, payment_result

PAYMENT = {"to": "alice", "amount": "50.00", "reference": "refund 1234"}


def desk() -> FakeDesk:
    """A desk that paid once."""
    request = PaymentRequest(to="alice", amount="50.00")
    draft = parse_request(request, agent=AGENT, registry=SHIPPED, book=BOOK)
    return FakeDesk(sent={"pay_0": payment_result(draft, payment_id="pay_0")})


EXAMPLES: Final[Mapping[type[WalletTool], dict[str, Any]]] = {
    SendPaymentTool: PAYMENT,
    SimulatePaymentTool: PAYMENT,
    CheckBudgetTool: {"asset": "usdc"},
    GetPaymentTool: {"payment_id": "pay_0"},
    ListPaymentsTool: {"limit": 5},
    ListPayeesTool: {},
}


def suite_of(suite: type, kind: type[WalletTool]) -> type:
    """Return the suite for one tool; LangChain wants a class of its own for each pair."""
    parts = {
        "tool_constructor": kind,
        "tool_constructor_params": property(lambda self: {"wallet": desk()}),
        "tool_invoke_params_example": property(lambda self: dict(EXAMPLES[kind])),
    }
    return type(f"Test{kind.__name__}{suite.__name__}", (suite,), parts)


for one in (ToolsUnitTests, ToolsIntegrationTests):
    globals().update({made.__name__: made for made in (suite_of(one, kind) for kind in EXAMPLES)})


def test_every_tool_is_held_to_the_standard():
    assert {kind(wallet=desk()).name for kind in EXAMPLES} == AGENT_VERBS
