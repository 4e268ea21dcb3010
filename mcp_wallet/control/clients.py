"""How each MCP client is told to start a server: the block for its configuration, and the file that it goes into.

The files are as their makers' documentation names them; a client that starts servers from a desktop inherits no shell,
so the command is absolute and everything the server needs stands in the block.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mcp_wallet.core.canonical import Json

KEY_NAME: Final = "MCP_WALLET_AGENT_KEY"
PLACEHOLDER: Final = "PASTE-THE-AGENT-KEY-HERE"
CARRIED: Final = (
    "MCP_WALLET_KEYS_DIR",
    "MCP_WALLET_STATE_DIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
)
"""Names that say where a home's parts are: where they are set, a server needs them too."""


class ClientName(StrEnum):
    """The clients whose files we know."""

    CLAUDE_DESKTOP = "claude-desktop"
    CLAUDE_CODE = "claude-code"
    CURSOR = "cursor"
    VSCODE = "vscode"


@dataclass(frozen=True, slots=True, kw_only=True)
class McpClient:
    """What is known of one client.

    Args:
        table: The key under which it lists its servers.
        files: Where its file for all projects lies, by operating system; `~` is the user's folder.
        project: Its file for one project, below the project's folder; empty when it has none.
        names_transport: Whether each entry says that it is `stdio`.
        then: What to do once the file is written.
    """

    title: str
    table: str
    files: Mapping[str, str]
    project: str
    names_transport: bool
    then: str


CLIENTS: Final[Mapping[ClientName, McpClient]] = {
    ClientName.CLAUDE_DESKTOP: McpClient(
        title="Claude Desktop",
        table="mcpServers",
        files={
            "macOS": "~/Library/Application Support/Claude/claude_desktop_config.json",
            "Linux": "~/.config/Claude/claude_desktop_config.json",
            "Windows": r"%APPDATA%\Claude\claude_desktop_config.json",
        },
        project="",
        names_transport=False,
        then="Quit Claude Desktop (closing its window is not enough) and start it again.",
    ),
    ClientName.CLAUDE_CODE: McpClient(
        title="Claude Code",
        table="mcpServers",
        files={"macOS": "~/.claude.json", "Linux": "~/.claude.json", "Windows": r"%USERPROFILE%\.claude.json"},
        project=".mcp.json",
        names_transport=True,
        then="Start a new session; /mcp shows the server.",
    ),
    ClientName.CURSOR: McpClient(
        title="Cursor",
        table="mcpServers",
        files={
            "macOS": "~/.cursor/mcp.json",
            "Linux": "~/.cursor/mcp.json",
            "Windows": r"%USERPROFILE%\.cursor\mcp.json",
        },
        project=".cursor/mcp.json",
        names_transport=False,
        then="Restart Cursor; its settings list the server under MCP.",
    ),
    ClientName.VSCODE: McpClient(
        title="VS Code",
        table="servers",
        files={
            "macOS": "~/Library/Application Support/Code/User/mcp.json",
            "Linux": "~/.config/Code/User/mcp.json",
            "Windows": r"%APPDATA%\Code\User\mcp.json",
        },
        project=".vscode/mcp.json",
        names_transport=True,
        then="Run `MCP: List Servers` from the command palette and start the server.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEntry:
    """The server as a client starts it: an absolute command, its arguments, and its environment."""

    command: str
    arguments: Sequence[str]
    environ: Mapping[str, str]

    def document(self, client: McpClient) -> dict[str, Json]:
        """Return the entry in the client's shape."""
        shape: dict[str, Json] = {"type": "stdio"} if client.names_transport else {}
        shape |= {"command": self.command, "args": list(self.arguments)}
        return shape | ({"env": dict(self.environ)} if self.environ else {})


def configuration(client: McpClient, name: str, entry: ServerEntry) -> dict[str, Json]:
    """Return the whole block: the client's table with one server in it."""
    return {client.table: {name: entry.document(client)}}


def shell_command(client: ClientName, name: str, entry: ServerEntry) -> str:
    """Return the client's own command that adds the server, empty text where it has none."""
    if client is not ClientName.CLAUDE_CODE:
        return ""
    document = json.dumps(entry.document(CLIENTS[client]), ensure_ascii=False)
    return shlex.join(["claude", "mcp", "add-json", "--scope", "user", name, document])
