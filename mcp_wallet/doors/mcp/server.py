"""The MCP server of one agent: six tools and two resources over a desk, in both protocol eras.

Arguments are taken raw: the SDK would drop unknown ones without a word and answer with its validator's text. The three
public verbs that its handlers call are overridden instead, so that every refusal is one of ours.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

from mcp.server import CacheHint, MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, CallToolResult, Resource, ResourceTemplate, ToolAnnotations
from mcp.types import Tool as ListedTool
from pydantic import AnyUrl, ValidationError

from mcp_wallet.contract.arguments import Arguments, complete_arguments
from mcp_wallet.contract.desk import Desk, Progress
from mcp_wallet.contract.tools import AGENT_VERBS, Tool, select_tools
from mcp_wallet.core.errors import CallerError, InvariantBroken, OwnerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.mcp.answers import answer_of, refusal_of, resource_error_of, sentence_of
from mcp_wallet.doors.mcp.instructions import instructions_for
from mcp_wallet.doors.mcp.logs import log_to_stderr
from mcp_wallet.doors.mcp.opening import Opening
from mcp_wallet.doors.mcp.resources import RESOURCES, TEMPLATES, read
from mcp_wallet.doors.mcp.verbs import VERBS
from mcp_wallet.doors.visible import visible

ECHO_CHARACTERS_MAX: Final = 200
LISTS_FRESH_MS: Final = 300_000
"""How long a client may keep a list: it never changes while the server runs."""

_ServerContext = Context[None, Any]
_log = logging.getLogger(__name__)


class WalletServer(MCPServer[None]):
    """An `MCPServer` that offers exactly the tools it was given.

    Args:
        tools: What is listed and callable, in the order of the list.
        opening: Opens the desk.
        version: The product's version.
    """

    def __init__(self, tools: Iterable[Tool], opening: Opening, *, version: str) -> None:
        """Name the server; nothing is opened until it serves."""
        self.tools = {tool.name: tool for tool in tools}
        self._opening = opening
        hint = CacheHint(ttl_ms=LISTS_FRESH_MS, scope="private")
        super().__init__(
            "mcp-wallet",
            title="mcp-wallet",
            instructions=instructions_for(self.tools.values()),
            version=version,
            lifespan=_begin_opening,
            cache_hints={"tools/list": hint, "resources/list": hint, "resources/templates/list": hint},
            subscriptions=False,
            middleware=[contain],
        )

    def begin(self) -> None:
        """Start to open the desk, so that it is there when the first call comes."""
        self._opening.begin()

    async def aclose(self) -> None:
        """Close the desk, within 10 s."""
        await self._opening.aclose()

    def run(self, transport: str = "stdio", **_: object) -> None:
        """Serve over stdin and stdout until the client leaves; call it in the main thread.

        Raises:
            OwnerError: `CONFIG_UNAPPROVED` for another transport: nobody would be asked who they are.
        """
        from mcp_wallet.doors.mcp.stdio import run_stdio  # noqa: PLC0415  it imports this module

        if transport != "stdio":
            sentence = "This server speaks over stdin and stdout alone: start it with transport `stdio`."
            _log.error("%s: %s", ReasonCode.CONFIG_UNAPPROVED, sentence)  # `mcp run` shows nothing of an exception
            raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence)
        run_stdio(self)

    async def list_tools(self) -> list[ListedTool]:
        """Return the tools in their fixed order."""
        return [_listed(tool) for tool in self.tools.values()]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: _ServerContext | None = None
    ) -> CallToolResult:
        """Return the tool's answer; every failure is a tool error of one sentence."""
        try:
            return answer_of(await self._call(name, arguments, _progress_of(context)))
        except Exception as error:  # noqa: BLE001  the door's outermost line
            return refusal_of(error)

    async def list_resources(self) -> list[Resource]:
        """Return the resources whose tools are offered."""
        return [resource for tool, resource in RESOURCES.items() if tool in self.tools]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """Return the templates whose tools are offered."""
        return [template for tool, template in TEMPLATES.items() if tool in self.tools]

    async def read_resource(
        self,
        uri: AnyUrl | str,
        context: _ServerContext | None = None,  # noqa: ARG002  the SDK's signature
    ) -> Iterable[ReadResourceContents]:
        """Return a resource as JSON; `ResourceError` of one sentence, `ResourceNotFoundError` for an unknown one."""
        try:
            result = await read(str(uri), self.tools, self._opening.desk)
        except Exception as error:  # noqa: BLE001  the door's outermost line
            raise resource_error_of(error) from None
        return [ReadResourceContents(content=result.model_dump_json(), mime_type="application/json")]

    async def _call(self, name: str, arguments: Arguments, progress: Progress) -> Any:
        tool = self.tools.get(name)
        if tool is None:
            known = ", ".join(self.tools)
            sentence = f"No tool is called `{name[:40]}` here: call one of {known}."
            raise CallerError(ReasonCode.INTENT_INVALID, sentence)
        try:
            complete = complete_arguments(tool, arguments)
        except CallerError as error:
            await (await self._opening.desk()).refused(error.code)
            raise
        return await VERBS[name](await self._opening.desk(), complete, progress)


def build_server(
    open_desk: Callable[[], Awaitable[Desk]],
    *,
    read_only: bool,
    toolsets: frozenset[str],
    version: str,
    aclose: Callable[[], Awaitable[None]] | None = None,
) -> WalletServer:
    """Return the server; light to make, since the desk is opened when it serves.

    Args:
        open_desk: Opens the agent's desk; called again after a failure.
        read_only: Leave out every tool that can pay, whatever the toolsets say.
        toolsets: Groups of tools to offer, from `parse_toolsets`.
        version: The product's version, from its package metadata.
        aclose: Closes the desk when the server ends.

    Raises:
        InvariantBroken: The reachable verbs are not those of the allow list; nothing may be served.
    """
    log_to_stderr()
    tools = select_tools(toolsets=toolsets, read_only=read_only)
    server = WalletServer(tools, Opening(open_desk, aclose), version=version)
    stray = (reachable_verbs(server) - AGENT_VERBS) | (AGENT_VERBS ^ frozenset(VERBS))
    if stray:
        message = f"the agent door and its allow list differ in {', '.join(sorted(stray))}"
        raise InvariantBroken(message)
    return server


def reachable_verbs(server: WalletServer) -> frozenset[str]:
    """Return every verb that an agent can reach through this server, for the start-up check and `doctor`."""
    return frozenset(server.tools)


async def contain(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Keep protocol errors short and faults silent, whatever the method; malformed parameters the SDK refuses."""
    try:
        return await call_next(ctx)
    except ValidationError:
        raise
    except MCPError as error:
        raise _shortened(error) from None
    except Exception as error:  # noqa: BLE001  the door's outermost line
        raise MCPError(code=INTERNAL_ERROR, message=sentence_of(error)) from None


def _shortened(error: MCPError) -> MCPError:
    """Return the error without an echo of what the caller sent at length."""
    data = error.error.data
    if len(error.error.message) <= ECHO_CHARACTERS_MAX and len(repr(data)) <= ECHO_CHARACTERS_MAX:
        return error
    return MCPError(code=error.error.code, message=visible(error.error.message, ECHO_CHARACTERS_MAX))


@asynccontextmanager
async def _begin_opening(server: MCPServer[None]) -> AsyncIterator[None]:
    if isinstance(server, WalletServer):
        server.begin()
    yield


def _progress_of(context: _ServerContext | None) -> Progress:
    """Return what tells the client how a payment goes on; the client hears it only if it asked to."""
    steps = count(1)

    async def tell(step: str) -> None:
        if context is not None:
            await context.report_progress(next(steps), None, step)

    return tell


def _listed(tool: Tool) -> ListedTool:
    return ListedTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema(),
        output_schema=tool.output_schema(),
        annotations=ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
    )
