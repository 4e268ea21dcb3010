"""What a door says, in the protocol's shapes: results, refusals and faults as tool answers and resource errors.

A result is structured content and one block of text. An error is one sentence behind its code. The words themselves are
contract's, the same for every door.
"""

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from mcp_wallet.contract.wording import FAULT, sentence_of, text_of
from mcp_wallet.core.errors import WalletError
from mcp_wallet.core.reasons import ReasonCode

__all__ = ["FAULT", "answer_of", "refusal_of", "resource_error_of", "sentence_of"]


def answer_of(result: BaseModel) -> CallToolResult:
    """Return a result, refusals included: structured, and as text for clients that show nothing else."""
    text = TextContent(type="text", text=text_of(result))
    return CallToolResult(content=[text], structured_content=result.model_dump(mode="json"))


def refusal_of(error: Exception) -> CallToolResult:
    """Return an accident as a tool error that the model can read: `CODE: sentence`, or the fault's sentence."""
    return CallToolResult(content=[TextContent(type="text", text=sentence_of(error))], is_error=True)


def resource_error_of(error: Exception) -> ResourceError:
    """Return an accident as a resource error; an unknown payment does not exist."""
    unknown = isinstance(error, WalletError) and error.code in {ReasonCode.PAYMENT_UNKNOWN, ReasonCode.INTENT_INVALID}
    return (ResourceNotFoundError if unknown else ResourceError)(sentence_of(error))
