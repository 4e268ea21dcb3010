"""How a proposal is shown: what it is, how it stands, and what comes next."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from mcp_wallet.contract.changes import Change, ChangeKind, ChangeState, change_document
from mcp_wallet.core.canonical import Json
from mcp_wallet.doors.cli.output import Answer, Table

Why = Annotated[str, typer.Option("--reason", help="Why; it stands on the trail.")]
CHANGE_HEADINGS = ("proposal", "what", "of", "version", "does", "state", "proposed by", "approved by", "why")


def change_answer(change: Change, lines: Sequence[str] = (), *, more: Mapping[str, Json] | None = None) -> Answer:
    """Return a proposal as the answer of the command that made or moved it."""
    return Answer(
        document={**change_document(change), **(more or {})}, lines=[change_line(change), *lines, *next_steps(change)]
    )


def change_line(change: Change) -> str:
    """Return the proposal in one line."""
    version = f" version {change.version}" if change.version else ""
    what = f"{change.kind} {change.subject}" if change.kind is not ChangeKind.SETTINGS else "settings"
    return f"{change.change_id}: {what}{version} is {change.state} ({change.classification})."


def next_steps(change: Change) -> list[str]:
    """Return the command that moves it on, empty when nothing is left to do."""
    if change.state is ChangeState.PROPOSED:
        needed = "Another person" if change.classification.is_loosening else "It only tightens; nobody has to, but one"
        steps = [f"{needed} may approve it: mcp-wallet approvals approve {change.change_id}"]
        return steps if change.classification.is_loosening else [*steps, _activation(change)]
    return [_activation(change)] if change.state is ChangeState.APPROVED else []


def change_rows(changes: Sequence[Change]) -> Table:
    """Return proposals as a table."""
    rows = [
        [
            change.change_id,
            str(change.kind),
            change.subject,
            str(change.version or ""),
            str(change.classification),
            str(change.state),
            change.proposed_by,
            ", ".join(change.approved_by),
            change.reason,
        ]
        for change in changes
    ]
    return Table(headings=CHANGE_HEADINGS, rows=rows)


def _activation(change: Change) -> str:
    command = "config apply" if change.kind is ChangeKind.SETTINGS else f"policy activate {change.subject}"
    return f"Put it in force: mcp-wallet {command}"
