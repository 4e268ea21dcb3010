"""The one place that prints for the command line: text or `--json`, and the exit code.

Text goes through `visible`, so that nothing an agent or a file wrote can move the cursor or forge a line; tables are
made of plain text, with terminal markup off. Errors are one sentence behind their code; what is not a wallet's error
says nothing of itself on stdout.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final, NoReturn

import typer

from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import OutsideError, WalletError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.visible import visible

OK: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
INTEGRITY: Final = 3
NOT_FOUND_OUT: Final = 4

LINE_CHARACTERS_MAX: Final = 4000

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings; every cell is data."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command found.

    Args:
        document: For `--json`; None where the command has printed it already.
        lines: For people, before and after the table.
        code: Exit code.
    """

    document: Json
    lines: Sequence[str] = ()
    table: Table | None = None
    after: Sequence[str] = ()
    code: int = field(default=OK)


def finish(command: Callable[[], Awaitable[Answer]], *, as_json: bool) -> NoReturn:
    """Run the command, print what it found, and end the process with its exit code."""
    try:
        answer = asyncio.run(_awaited(command))
    except WalletError as error:
        answer = _refusal(error)
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001  the door's outermost line
        answer = _fault(error)
    show(answer, as_json=as_json)
    raise typer.Exit(answer.code)


def show(answer: Answer, *, as_json: bool) -> None:
    """Print an answer on stdout; an error's text goes to stderr."""
    if as_json and answer.document is not None:
        print(json.dumps(answer.document, indent=2))
    if as_json:
        return
    stream = sys.stderr if isinstance(answer.document, dict) and "error" in answer.document else sys.stdout
    for line in answer.lines:
        print(visible(line, LINE_CHARACTERS_MAX), file=stream)
    if answer.table is not None:
        _print_table(answer.table)
    for line in answer.after:
        print(visible(line, LINE_CHARACTERS_MAX), file=stream)


def exit_code_of(error: WalletError) -> int:
    """Return 3 for what the trail shows, 4 for what could not be found out, 1 for every other refusal."""
    if error.code is ReasonCode.ROLLBACK_DETECTED:
        return INTEGRITY
    return NOT_FOUND_OUT if isinstance(error, OutsideError) else REFUSED


async def _awaited(command: Callable[[], Awaitable[Answer]]) -> Answer:
    return await command()


def _refusal(error: WalletError) -> Answer:
    problems = error.details.get("problems", "").splitlines()
    lines = [f"{error.code}: {error.message}", *(problems if len(problems) > 1 else ())]
    found: dict[str, Json] = {"code": str(error.code), "message": error.message, "details": dict(error.details)}
    return Answer(document={"error": found}, lines=lines, code=exit_code_of(error))


def _fault(error: Exception) -> Answer:
    from mcp_wallet.doors.trace import trace_of  # noqa: PLC0415  only when something is wrong in here

    print(f"mcp-wallet: {trace_of(error)}", file=sys.stderr)
    sentence = "Something went wrong inside the wallet; the line above says where. Nothing is known to have changed."
    found: dict[str, Json] = {"code": str(ReasonCode.ENGINE_ERROR), "message": sentence, "details": {}}
    return Answer(document={"error": found}, lines=[f"{ReasonCode.ENGINE_ERROR}: {sentence}"], code=NOT_FOUND_OUT)


def _print_table(table: Table) -> None:
    from rich.console import Console  # noqa: PLC0415  not for --json
    from rich.table import Table as Drawn  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Drawn(box=None, pad_edge=False)
    for heading in table.headings:
        drawn.add_column(Text(heading), overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(visible(cell, LINE_CHARACTERS_MAX)) for cell in row))
    Console(markup=False, highlight=False, emoji=False).print(drawn)
