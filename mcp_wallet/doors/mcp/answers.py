"""What a door says: results, refusals and faults as tool answers and resource errors, in one place.

A result is structured content and one block of text. An error is one sentence behind its code. A fault says nothing of
itself: its trace goes to the log. No text echoes more of a caller's value than a glance, or any character that hides.
"""

import json
import logging
from typing import Final

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from mcp_wallet.core.errors import WalletError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.visible import visible

SENTENCE_CHARACTERS_MAX: Final = 600
FAULT: Final = (
    f"{ReasonCode.ENGINE_ERROR}: Something went wrong inside the wallet and stands in its log: "
    "ask get_payment or list_payments before you send a payment again."
)

_log = logging.getLogger(__name__)


def answer_of(result: BaseModel) -> CallToolResult:
    """Return a result, refusals included: structured, and as text for clients that show nothing else."""
    fields = result.model_dump(mode="json")
    told = {name: part for name, part in fields.items() if name != "message" and part not in ("", [], False)}
    text = str(fields.get("message", ""))
    if told:
        text += "\n" + json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=fields)


def refusal_of(error: Exception) -> CallToolResult:
    """Return an accident as a tool error that the model can read: `CODE: sentence`, or the fault's sentence."""
    return CallToolResult(content=[TextContent(type="text", text=sentence_of(error))], is_error=True)


def resource_error_of(error: Exception) -> ResourceError:
    """Return an accident as a resource error; an unknown payment does not exist."""
    unknown = isinstance(error, WalletError) and error.code in {ReasonCode.PAYMENT_UNKNOWN, ReasonCode.INTENT_INVALID}
    return (ResourceNotFoundError if unknown else ResourceError)(sentence_of(error))


def sentence_of(error: Exception) -> str:
    """Return the one sentence of an error; what is not a wallet's error is logged and not told."""
    if isinstance(error, WalletError):
        return visible(f"{error.code}: {error.message}", SENTENCE_CHARACTERS_MAX)
    _log.error("a call failed", exc_info=error)
    return FAULT
