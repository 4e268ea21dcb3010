"""docs/cli.md: every command as it explains itself."""

from collections.abc import Iterator
from typing import Any, Final

import typer

from mcp_wallet.control.environment import NAMES
from mcp_wallet.doors.cli import app as command_line
from mcp_wallet.doors.docs.markdown import page, table

WIDTH: Final = 100

OPENING: Final = """\
# Command line

Each command as `--help` prints it. Commands of the control plane ask for the operator's token, at a prompt or from
`MCP_WALLET_OPERATOR_TOKEN`. With `--json` a command prints one document for programs; a refusal is then
`{"error": {"code", "message", "details"}}`."""

CODES: Final = (
    ("0", "done"),
    ("1", "refused, or a check failed"),
    ("2", "usage: the command line is wrong"),
    ("3", "integrity: trail, proof or key do not hold"),
    ("4", "not found out: something was unreachable, or the outcome is unknown"),
)


def cli_page() -> str:
    """Return the page."""
    names = table(("name", "is"), [(f"`{name}`", meaning) for name, meaning in NAMES.items()])
    return page(
        OPENING,
        "## Exit codes",
        table(("code", "means"), CODES),
        "## Environment",
        "An unknown name that begins with `MCP_WALLET_` refuses to start: a misspelt one would be without effect.",
        names,
        *helps(),
    )


def helps() -> Iterator[str]:
    """Yield a heading and the help text of each command, groups before their members."""
    top = typer.main.get_command(command_line.app)
    yield from _helps(top, top.context_class(top, info_name="mcp-wallet", terminal_width=WIDTH))


def _helps(command: Any, context: Any) -> Iterator[str]:
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```"
    for name, member in getattr(command, "commands", {}).items():
        if not member.hidden:
            yield from _helps(member, member.context_class(member, info_name=name, parent=context))
