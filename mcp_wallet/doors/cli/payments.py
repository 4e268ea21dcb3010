"""`payments list|show|resolve` and `budget`: what happened and what is left, for operators."""

from enum import StrEnum
from typing import Annotated

import typer

from mcp_wallet.control.oversight import AgentBudget, agent_budgets, payment_document, states_of
from mcp_wallet.control.resolution import resolve_payment
from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.roles import Verb
from mcp_wallet.doors.cli.output import Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import operator_session
from mcp_wallet.ports import BudgetLine

PAYMENTS_MAX = 1000


class Outcome(StrEnum):
    """What a person may say of an unknown payment."""

    PAID = "paid"
    FAILED = "failed"


payment_commands = typer.Typer(no_args_is_help=True, help="Payments of all agents.")


@payment_commands.command("list")
def list_(
    *,
    agent: Annotated[str, typer.Option(help="Only this agent's.")] = "",
    status: Annotated[str, typer.Option(help="Only these: denied, submitted, confirmed, failed, unknown, …")] = "",
    limit: Annotated[int, typer.Option(min=1, max=PAYMENTS_MAX, help="At most so many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show payments, newest first."""

    async def command() -> Answer:
        async with operator_session() as session:
            records = await session.home.ledger.payments(agent_id=agent, limit=limit, states=states_of(status))
            found = [payment_document(r, session.home.settings.registry) for r in records]
            rows = [_row(p) for p in found]
            headings = ("payment", "time", "agent", "status", "amount", "to", "reference (the agent wrote)", "reasons")
            return Answer(
                document={"payments": list(found)},
                table=Table(headings=headings, rows=rows) if rows else None,
                after=() if rows else ["No payments."],
            )

    finish(command, as_json=as_json)


@payment_commands.command("show")
def show(payment_id: Annotated[str, typer.Argument(help="The payment's id.")], *, as_json: AsJson = False) -> None:
    """Show one payment."""

    async def command() -> Answer:
        async with operator_session() as session:
            record = await session.home.ledger.payment(agent_id="", payment_id=payment_id)
            if record is None:
                sentence = (
                    f"No payment has the id `{payment_id[:80]}`: `mcp-wallet payments list` shows the recent ones."
                )
                raise CallerError(ReasonCode.PAYMENT_UNKNOWN, sentence)
            found = payment_document(record, session.home.settings.registry)
            rows = [[_words(key), _codes(value) if key == "reasons" else str(value)] for key, value in found.items()]
            return Answer(document=found, table=Table(headings=("field", "value"), rows=[r for r in rows if r[1]]))

    finish(command, as_json=as_json)


@payment_commands.command("resolve")
def resolve(
    payment_id: Annotated[str, typer.Argument(help="The id of a payment that is `unknown`.")],
    *,
    outcome: Annotated[Outcome, typer.Option("--as", help="What the chain shows, beyond doubt.")],
    reason: Annotated[str, typer.Option(help="How you know; it stands on the trail.")],
    as_json: AsJson = False,
) -> None:
    """Say what became of a payment whose outcome could not be proven.

    `failed` gives its budget and its reference back: say so only when its transaction can never be mined any more.
    """

    async def command() -> Answer:
        async with operator_session(Verb.APPROVE) as session:
            record = await resolve_payment(
                session.home.ledger,
                payment_id,
                paid=outcome is Outcome.PAID,
                reason=reason,
                actor=session.actor,
            )
            found = payment_document(record, session.home.settings.registry)
            return Answer(document=found, lines=[f"{record.payment_id} is {record.state}."])

    finish(command, as_json=as_json)


def budget_command(
    *, agent: Annotated[str, typer.Option(help="Only this agent's.")] = "", as_json: AsJson = False
) -> None:
    """Show what each agent has spent, holds and may still spend."""

    async def command() -> Answer:
        async with operator_session() as session:
            home = session.home
            budgets = await agent_budgets(home.ledger, home.settings, sender=home.signer.address, agent_id=agent)
            found = [_budget_document(b, home.settings.registry) for b in budgets]
            rows = [row for b in budgets for row in _budget_rows(b, home.settings.registry)]
            headings = ("agent", "limit", "asset", "window", "spent", "held", "left", "of")
            return Answer(
                document={"budgets": found},
                table=Table(headings=headings, rows=rows) if rows else None,
                after=[
                    *(f"{b.agent_id} is frozen by {', '.join(b.frozen_by)}." for b in budgets if b.frozen_by),
                    *(() if rows else ["No budgets: no agent is bound to a policy with limits."]),
                ],
            )

    finish(command, as_json=as_json)


def _row(payment: dict[str, Json]) -> list[str]:
    fields = ("paymentId", "decidedAt", "agentId", "status")
    amount = f"{payment['amount']} {str(payment['asset']).upper()} on {payment['chain']}"
    to = str(payment["payee"] or payment["to"])
    return [*(str(payment[f]) for f in fields), amount, to, str(payment["reference"]), _codes(payment["reasons"])]


def _codes(reasons: Json) -> str:
    rows = reasons if isinstance(reasons, list) else []
    return ", ".join(str(row["code"]) for row in rows if isinstance(row, dict))


def _words(key: str) -> str:
    written = {"reference": "reference (the agent wrote)", "memo": "memo (the agent wrote)"}
    return written.get(key, key)


def _budget_document(budget: AgentBudget, registry: Registry) -> Json:
    return {
        "agentId": budget.agent_id,
        "policyId": budget.policy_id,
        "frozenBy": list(budget.frozen_by),
        "lines": [_line_document(line, registry) for line in budget.lines],
    }


def _line_document(line: BudgetLine, registry: Registry) -> Json:
    asset = registry.asset_by_id(line.asset)
    return {
        "limit": line.limit_id,
        "asset": asset.symbol,
        "chains": [registry.chain(c).name for c in line.chains],
        "window": line.window,
        "windowSeconds": "" if line.window_seconds is None else str(line.window_seconds),
        "maximum": "" if line.limit_units is None else format_amount(line.limit_units, asset.decimals),
        "maximumCount": "" if line.limit_count is None else str(line.limit_count),
        "spent": format_amount(line.spent_units, asset.decimals),
        "held": format_amount(line.held_units, asset.decimals),
        "count": str(line.count),
        "remaining": _left(line, asset.decimals),
    }


def _left(line: BudgetLine, decimals: int) -> str:
    if line.limit_units is None:
        return ""
    return format_amount(max(0, line.limit_units - line.spent_units - line.held_units), decimals)


def _budget_rows(budget: AgentBudget, registry: Registry) -> list[list[str]]:
    rows = []
    for line in budget.lines:
        asset = registry.asset_by_id(line.asset)
        amounts = line.limit_units is not None
        left = _left(line, asset.decimals) if amounts else f"{max(0, (line.limit_count or 0) - line.count)} payments"
        maximum = format_amount(line.limit_units or 0, asset.decimals) if amounts else f"{line.limit_count} payments"
        spent, held = format_amount(line.spent_units, asset.decimals), format_amount(line.held_units, asset.decimals)
        rows.append([budget.agent_id, line.limit_id, asset.unit, line.window, spent, held, left, maximum])
    return rows
