"""`make recording`: the demo as it looks on a terminal, as one picture: `python -m mcp_wallet.demo.recording FILE`.

A real run, drawn only when every step went as it must. The picture fetches nothing, holds no time and no place of this
machine, and brings its own background, so that it reads on light and on dark pages.
"""

import sys
from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from mcp_wallet.demo.run import close, perform, went_well

COLUMNS: Final = 92
KNOWN_SECRET: Final = bytes(31) + b"\x01"
"""The account of every recording: a key that everybody knows, so that two recordings show one address."""
BACKGROUND: Final = (24, 26, 33)
FOREGROUND: Final = (222, 224, 230)
THEME: Final = TerminalTheme(
    BACKGROUND,
    FOREGROUND,
    [
        BACKGROUND,
        (240, 113, 120),
        (130, 205, 130),
        (235, 203, 139),
        (129, 161, 241),
        (196, 160, 240),
        (120, 200, 210),
        FOREGROUND,
    ],
)
FORMAT: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="mcp-wallet demo">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""A picture of text; no font is fetched, each line says how long it is."""


def recording_console() -> Console:
    """Return a console of a fixed size that remembers what it shows and prints it nowhere."""
    return Console(
        record=True, file=StringIO(), width=COLUMNS, force_terminal=True, color_system="truecolor", highlight=False
    )


def picture_of(console: Console) -> str:
    """Return what the console has shown, as SVG."""
    drawn = console.export_svg(title="mcp-wallet demo", theme=THEME, code_format=FORMAT, unique_id="demo")
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def main(arguments: list[str]) -> int:
    """Play the demo and write its picture; return 1, and write nothing, when a step went otherwise."""
    console = recording_console()
    console.print("[bold]$ mcp-wallet demo[/bold]\n")
    told = perform(console, secret=KNOWN_SECRET)
    close(console, told)
    if not went_well(told):
        sys.stderr.write("A step went otherwise than it must: run `make demo` to see it.\n")
        return 1
    Path(arguments[0]).write_text(picture_of(console), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
