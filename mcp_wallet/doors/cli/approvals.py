"""`approvals list|approve|reject`: everything that waits for people."""

from typing import Annotated

import typer

from mcp_wallet.contract.changes import change_document
from mcp_wallet.control.inbox import approve_proposal, reject_proposal
from mcp_wallet.control.justification import optional_reason, required_reason
from mcp_wallet.core.roles import Verb
from mcp_wallet.doors.cli.changes import Why, change_answer, change_rows
from mcp_wallet.doors.cli.output import Answer, AsJson, finish
from mcp_wallet.doors.cli.session import operator_session

approval_commands = typer.Typer(no_args_is_help=True, help="What waits for a person's yes or no.")

Name = Annotated[str, typer.Argument(help="What to answer, by the id that `approvals list` shows.")]


@approval_commands.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """Show everything that waits."""

    async def command() -> Answer:
        async with operator_session() as session:
            waiting = await session.home.ledger.changes(open_only=True)
        return Answer(
            document={"proposals": [change_document(change) for change in waiting]},
            table=change_rows(waiting) if waiting else None,
            after=() if waiting else ["Nothing waits."],
        )

    finish(command, as_json=as_json)


@approval_commands.command("approve")
def approve(name: Name, *, reason: Why = "", as_json: AsJson = False) -> None:
    """Say yes to what another person proposed."""

    async def command() -> Answer:
        async with operator_session(Verb.APPROVE) as session:
            why = optional_reason(reason)
            change = await approve_proposal(session.home.ledger, name, reason=why, actor=session.actor)
        return change_answer(change)

    finish(command, as_json=as_json)


@approval_commands.command("reject")
def reject(name: Name, *, reason: Why, as_json: AsJson = False) -> None:
    """Say no, which ends it."""

    async def command() -> Answer:
        async with operator_session() as session:
            why = required_reason(reason)
            change = await reject_proposal(session.home.ledger, name, reason=why, actor=session.actor)
        return change_answer(change)

    finish(command, as_json=as_json)
