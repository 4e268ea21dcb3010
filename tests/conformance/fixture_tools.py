"""The wallet's server with the tools that the conformance suite asks for instead of the wallet's own.

Everything around the tools stays ours: error containment, progress, the handling of arguments that the SDK would judge.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcp.server.mcpserver import Context
from mcp.types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
    Tool,
)

from mcp_wallet.contract.tools import TOOLS
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.mcp.answers import refusal_of
from mcp_wallet.doors.mcp.opening import Opening
from mcp_wallet.doors.mcp.server import WalletServer, _progress_of
from tests.conformance.mcp_door import opener
from tests.fakes import FakeDesk

DATA: Final = "AAAA"
TEXT: Final = TextContent(type="text", text="A text.")
IMAGE: Final = ImageContent(type="image", data=DATA, mime_type="image/png")
AUDIO: Final = AudioContent(type="audio", data=DATA, mime_type="audio/wav")
RESOURCE: Final = EmbeddedResource(
    type="resource", resource=TextResourceContents(uri="test://embedded", mime_type="text/plain", text="A resource.")
)
CONTENT: Final[dict[str, list[ContentBlock]]] = {
    "test_simple_text": [TEXT],
    "test_image_content": [IMAGE],
    "test_audio_content": [AUDIO],
    "test_embedded_resource": [RESOURCE],
    "test_multiple_content_types": [TEXT, IMAGE, RESOURCE],
}
FAILING: Final = "test_error_handling"
PROGRESSING: Final = "test_tool_with_progress"


class FixtureServer(WalletServer):
    """Answers the suite's tools through the wallet's door."""

    def __init__(self) -> None:
        super().__init__(TOOLS, Opening(opener(FakeDesk()), None), version="1")

    async def list_tools(self) -> list[Tool]:
        return [Tool(name=name, input_schema={"type": "object"}) for name in (*CONTENT, FAILING, PROGRESSING)]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[None, Any] | None = None
    ) -> CallToolResult:
        if name == FAILING:
            return refusal_of(CallerError(ReasonCode.INTENT_INVALID, "This tool always refuses."))
        if name == PROGRESSING:
            await _steps(_progress_of(context))
            return CallToolResult(content=[TEXT])
        return CallToolResult(content=CONTENT[name])


async def _steps(progress: Callable[[str], Awaitable[None]]) -> None:
    for step in ("asking the node", "signing", "waiting for a receipt"):
        await progress(step)
