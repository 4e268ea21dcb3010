"""`approvals list|approve|reject`: everything that waits for people, payments first."""

from typing import Annotated

import typer

from mcp_wallet.contract.changes import change_document
from mcp_wallet.control.inbox import approve_proposal, is_proposal, reject_proposal
from mcp_wallet.control.justification import optional_reason, required_reason
from mcp_wallet.control.oversight import payment_document
from mcp_wallet.control.requests import request_document, request_lines
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.roles import Verb
from mcp_wallet.doors.cli.changes import Why, change_answer, change_rows
from mcp_wallet.doors.cli.output import Answer, AsJson, finish
from mcp_wallet.doors.cli.session import Session, operator_session
from mcp_wallet.ports import PaymentRecord

approval_commands = typer.Typer(no_args_is_help=True, help="What waits for a person's yes or no.")

Name = Annotated[
    str, typer.Argument(help="What to answer: a payment's or a proposal's id, as `approvals list` shows it.")
]


@approval_commands.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """Show everything that waits: payments with what the ledger knows of them, and proposals."""

    async def command() -> Answer:
        async with operator_session() as session:
            requests = await session.home.ledger.approval_requests()
            waiting = await session.home.ledger.changes(open_only=True)
            registry = session.home.settings.registry
        payments: list[Json] = [request_document(request, registry) for request in requests]
        nothing = () if payments or waiting else ["Nothing waits."]
        return Answer(
            document={"payments": payments, "proposals": [change_document(change) for change in waiting]},
            lines=[line for request in requests for line in request_lines(request, registry)],
            table=change_rows(waiting) if waiting else None,
            after=nothing,
        )

    finish(command, as_json=as_json)


@approval_commands.command("approve")
def approve(name: Name, *, reason: Why = "", as_json: AsJson = False) -> None:
    """Say yes: a payment runs after enough people did, a proposal needs one who did not make it."""

    async def command() -> Answer:
        async with operator_session(Verb.APPROVE) as session:
            why = optional_reason(reason)
            if is_proposal(name):
                return change_answer(await approve_proposal(session.home.ledger, name, reason=why, actor=session.actor))
            record = await session.home.ledger.vote(name, approves=True, reason=why, actor=session.actor)
            return await _voted(session, record)

    finish(command, as_json=as_json)


@approval_commands.command("reject")
def reject(name: Name, *, reason: Why, as_json: AsJson = False) -> None:
    """Say no, which ends it."""

    async def command() -> Answer:
        async with operator_session() as session:
            why = required_reason(reason)
            if is_proposal(name):
                return change_answer(await reject_proposal(session.home.ledger, name, reason=why, actor=session.actor))
            record = await session.home.ledger.vote(name, approves=False, reason=why, actor=session.actor)
            return await _voted(session, record)

    finish(command, as_json=as_json)


async def _voted(session: Session, record: PaymentRecord) -> Answer:
    """Return the payment after somebody spoke, and who is still missing."""
    waiting = [r for r in await session.home.ledger.approval_requests() if r.record.payment_id == record.payment_id]
    missing = list(waiting[0].missing) if waiting else []
    found = payment_document(record, session.home.settings.registry)
    document: dict[str, Json] = {**found, "missing": list(missing), "complete": bool(waiting) and not missing}
    if record.state is not State.PENDING_APPROVAL:
        lines = ["Rejected: it is not paid, and what it held is given back."]
    elif missing:
        lines = [f"Approved by you; still missing for {', '.join(missing)}."]
    else:
        lines = ["Approved. A running server of this home checks everything again and pays it within seconds."]
    return Answer(document=document, lines=lines)
