"""Every generated page by its place in the checkout, and which of them no longer say what the code says."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from mcp_wallet.contract.tools import TOOLS
from mcp_wallet.control.health import RESISTANCE
from mcp_wallet.core.policy_language import policy_schema
from mcp_wallet.doors.docs.cli_page import cli_page
from mcp_wallet.doors.docs.codes_page import codes_page, error_list
from mcp_wallet.doors.docs.markdown import put_between, table
from mcp_wallet.doors.docs.tools_page import tool_rows, tool_schemas, tools_page

Pages = Mapping[str, str]

WHOLE: Final[Mapping[str, Callable[[Path], str]]] = {
    "docs/tools.md": lambda _: tools_page(TOOLS),
    "docs/cli.md": lambda _: cli_page(),
    "docs/reason-codes.md": codes_page,
    "docs/schemas/policy.json": lambda _: _json(policy_schema()),
    "docs/schemas/tools.json": lambda _: _json(tool_schemas(TOOLS)),
}
"""Pages that are generated from the first to the last line."""

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "README.md": ("tools", "resistance"),
    "docs/threat-model.md": ("resistance",),
    "docs/troubleshooting.md": ("errors",),
}
"""Pages that people write, and the generated parts in them, between `<!-- part -->` and `<!-- /part -->`."""


def pages_of(root: Path) -> Pages:
    """Return what each generated page must hold, by its path below the checkout's folder."""
    parts = {"tools": tool_rows(TOOLS), "resistance": _resistance(), "errors": error_list(root)}
    pages = {name: make(root) for name, make in WHOLE.items()}
    for name, wanted in PARTS.items():
        text = (root / name).read_text("utf-8")
        for part in wanted:
            text = put_between(text, part, parts[part])
        pages[name] = text
    return pages


def stale_pages(root: Path, pages: Pages) -> list[str]:
    """Return the pages that are missing or hold something else, sorted."""
    return sorted(name for name, text in pages.items() if _read(root / name) != text)


def write_pages(root: Path, pages: Pages) -> None:
    """Write the pages that differ."""
    for name in stale_pages(root, pages):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(pages[name], "utf-8")


def _read(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _resistance() -> str:
    rows = [(attacker, _strong(how).replace("solo", "`solo`")) for attacker, how in RESISTANCE]
    return table(("attacker", "embedded, one OS user"), rows)


def _strong(how: str) -> str:
    """Return an answer with a qualified "no" in bold, because a reader must not miss it."""
    return how.replace("no:", "**no**:", 1) if how.startswith("no:") else how
