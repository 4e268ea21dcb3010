"""The two resources: the budget, and each of the agent's own payments."""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from mcp.types import Resource, ResourceTemplate
from pydantic import BaseModel

from mcp_wallet.contract.arguments import parse_payment_id
from mcp_wallet.contract.desk import Desk
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode

BUDGET_URI: Final = "wallet://budget"
PAYMENT_URI: Final = "wallet://payments/"

RESOURCES: Final = {
    "check_budget": Resource(
        uri=BUDGET_URI,
        name="budget",
        title="Budget",
        description="What this agent may still spend, as check_budget answers.",
        mime_type="application/json",
    )
}
"""By the tool that answers the same: a resource is there only where its tool is."""

TEMPLATES: Final = {
    "get_payment": ResourceTemplate(
        uri_template=PAYMENT_URI + "{payment_id}",
        name="payment",
        title="Payment",
        description="One of your own payments, as get_payment answers.",
        mime_type="application/json",
    )
}


async def read(uri: str, offered: Collection[str], open_desk: Callable[[], Awaitable[Desk]]) -> BaseModel:
    """Return what the resource holds; `CallerError(PAYMENT_UNKNOWN)` when there is none or it is somebody else's."""
    if uri == BUDGET_URI and "check_budget" in offered:
        return await (await open_desk()).check_budget()
    payment_id = parse_payment_id(uri.removeprefix(PAYMENT_URI)) if uri.startswith(PAYMENT_URI) else ""
    if payment_id and "get_payment" in offered:
        return await (await open_desk()).get_payment(payment_id=payment_id)
    raise CallerError(ReasonCode.PAYMENT_UNKNOWN, "There is no such resource.")
