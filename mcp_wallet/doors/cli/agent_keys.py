"""`agent bind|rotate|revoke|disable|review`: what an agent may do, and with which keys."""

from typing import Annotated

import typer

from mcp_wallet.control.agents import bind_agent, disable_agent, revoke_key, rotate_key
from mcp_wallet.control.reviews import agent_access, record_review
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.durations import parse_duration_ms
from mcp_wallet.core.roles import Verb
from mcp_wallet.doors.cli.changes import Why, change_answer
from mcp_wallet.doors.cli.output import Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import operator_session

Name = Annotated[str, typer.Argument(help="The agent's name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands on the trail.")]


def bind(
    name: Name,
    *,
    policy: Annotated[str, typer.Option(help="The id of an active policy.")],
    category: Annotated[str | None, typer.Option(help="What its payments are for; as it was when left out.")] = None,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Propose another policy for an agent; in a solo home it is bound at once."""

    async def command() -> Answer:
        async with operator_session(Verb.PROPOSE) as session:
            change = await bind_agent(
                session.home.ledger,
                name=name,
                policy_id=policy,
                category=category,
                reason=reason,
                actor=session.actor,
            )
        return change_answer(change, more={"agentId": name, "policyId": policy})

    finish(command, as_json=as_json)


def rotate(
    name: Name,
    *,
    grace: Annotated[str, typer.Option(help="How long the keys before it are still good, such as 24h.")] = "24h",
    as_json: AsJson = False,
) -> None:
    """Give an agent a further key, printed once; the keys before it run out after the grace."""

    async def command() -> Answer:
        async with operator_session(Verb.PROPOSE) as session:
            home = session.home
            key_id, api_key = await rotate_key(
                home.ledger,
                home.settings,
                name=name,
                grace_ms=parse_duration_ms(grace),
                home_key=home.keys.home,
                actor=session.actor,
            )
        return Answer(
            document={"agentId": name, "keyId": key_id, "apiKey": api_key, "grace": grace},
            lines=[f"The next key of {name}, shown this once; the others are good for {grace}:", f"  {api_key}"],
        )

    finish(command, as_json=as_json)


def revoke(
    name: Name,
    *,
    reason: Reason,
    key: Annotated[str, typer.Option(help="One key's id; all of the agent's when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """Take an agent's keys away at once."""

    async def command() -> Answer:
        async with operator_session(Verb.STOP) as session:
            gone = await revoke_key(session.home.ledger, name=name, key_id=key, reason=reason, actor=session.actor)
        lines = [f"Revoked: {key_id}" for key_id in gone] or [f"{name} had no key in use."]
        return Answer(document={"agentId": name, "revoked": list(gone)}, lines=lines)

    finish(command, as_json=as_json)


def disable(name: Name, *, reason: Reason, as_json: AsJson = False) -> None:
    """Disable an agent at once: none of its keys opens anything, and nothing of it is signed any more."""

    async def command() -> Answer:
        async with operator_session(Verb.STOP) as session:
            await disable_agent(session.home.ledger, name=name, reason=reason, actor=session.actor)
        return Answer(document={"disabled": name}, lines=[f"{name} can do nothing here any more."])

    finish(command, as_json=as_json)


def review(
    *,
    note: Annotated[str, typer.Option(help="What came of it; recording it makes this a review.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show every agent with its policy, owner and keys; with a note, record that you reviewed them."""

    async def command() -> Answer:
        async with operator_session(Verb.PROPOSE if note else Verb.SEE) as session:
            home = session.home
            seen = await agent_access(home.ledger, now_ms=home.clock())
            if note:
                await record_review(home.ledger, "agents", seen, note=note, actor=session.actor)
        rows = [
            [
                str(a["agentId"]),
                str(a["policyId"]),
                str(a["owner"]),
                _keys(a["keys"]),
                "disabled" if a["disabled"] else "",
            ]
            for a in seen
        ]
        found: list[Json] = [*seen]
        return Answer(
            document={"agents": found, "recorded": bool(note)},
            table=Table(headings=("agent", "policy", "owner", "keys in use", ""), rows=rows),
            after=[] if note else ["Nothing was recorded: add --note to make it a review."],
        )

    finish(command, as_json=as_json)


def add_key_commands(commands: typer.Typer) -> None:
    """Add these commands to the group of agent commands."""
    for command in (bind, rotate, revoke, disable, review):
        commands.command(command.__name__)(command)


def _keys(keys: Json) -> str:
    rows = keys if isinstance(keys, list) else []
    shown = []
    for row in rows:
        if isinstance(row, dict):
            overdue = ", rotation overdue" if row["rotationOverdue"] else ""
            shown.append(f"{row['keyId']} ({row['ageDays']} days{overdue})")
    return "; ".join(shown)
