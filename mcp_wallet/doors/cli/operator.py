"""`operator add|list|roles|disable|review`: the people of this home."""

from typing import Annotated

import typer

from mcp_wallet.contract.events import rfc3339
from mcp_wallet.control.justification import required_reason
from mcp_wallet.control.operators import propose_operator, propose_roles
from mcp_wallet.control.reviews import operator_access, record_review
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.four_eyes import Person
from mcp_wallet.core.roles import WHO, Role, Verb, format_roles, parse_roles
from mcp_wallet.doors.cli.changes import Why, change_answer
from mcp_wallet.doors.cli.output import Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import operator_session

operator_commands = typer.Typer(no_args_is_help=True, help="People: who may do what, and with which token.")

Roles = Annotated[list[str] | None, typer.Option("--role", help=f"One of {', '.join(Role)}; repeat for more.")]


@operator_commands.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The person's name, lower case.")],
    *,
    role: Roles = None,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Propose a person and print the token once; unless the home is solo, it is dead until another approved."""

    async def command() -> Answer:
        roles = parse_roles(",".join(role or []))
        async with operator_session(Verb.GOVERN) as session:
            home = session.home
            change, token = await propose_operator(
                home.ledger, name=name, roles=roles, home_key=home.keys.home, reason=reason, actor=session.actor
            )
        lines = [f"The token of {name}, shown this once; nobody else should see it:", f"  {token}"]
        return change_answer(change, lines, more={"name": name, "roles": _roles(roles), "token": token})

    finish(command, as_json=as_json)


@operator_commands.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """Show everybody; tokens are known by their ids only."""

    async def command() -> Answer:
        async with operator_session() as session:
            people = await session.home.ledger.operators()
        rows = [[p.name, format_roles(p.roles), p.token_id, rfc3339(p.since_ms), _standing(p)] for p in people]
        headings = ("operator", "roles", "token", "since", "")
        return Answer(document={"operators": [_document(p) for p in people]}, table=Table(headings=headings, rows=rows))

    finish(command, as_json=as_json)


@operator_commands.command("roles")
def roles_(
    name: Annotated[str, typer.Argument(help="Whose roles to change; without it the table is shown.")] = "",
    *,
    role: Roles = None,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Show who may do what, or propose other roles for a person."""

    async def command() -> Answer:
        async with operator_session(Verb.GOVERN if name else Verb.SEE) as session:
            if not name:
                return _table()
            roles = parse_roles(",".join(role or []))
            change = await propose_roles(
                session.home.ledger, name=name, roles=roles, reason=reason, actor=session.actor
            )
        return change_answer(change, more={"name": name, "roles": _roles(roles)})

    finish(command, as_json=as_json)


@operator_commands.command("disable")
def disable(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands on the trail.")],
    as_json: AsJson = False,
) -> None:
    """Take a person's token away at once."""

    async def command() -> Answer:
        async with operator_session(Verb.GOVERN) as session:
            why = required_reason(reason)
            await session.home.ledger.disable_operator(name, reason=why, actor=session.actor)
        return Answer(document={"disabled": name, "reason": why}, lines=[f"{name} can do nothing here any more."])

    finish(command, as_json=as_json)


@operator_commands.command("review")
def review(
    *,
    note: Annotated[str, typer.Option(help="What came of it; recording it makes this a review.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show everybody with their roles; with a note, record that you reviewed them."""

    async def command() -> Answer:
        async with operator_session(Verb.GOVERN if note else Verb.SEE) as session:
            seen = await operator_access(session.home.ledger)
            if note:
                await record_review(session.home.ledger, "operators", seen, note=note, actor=session.actor)
        rows = [[str(p["name"]), str(p["roles"]), str(p["since"]), "disabled" if p["disabled"] else ""] for p in seen]
        found: list[Json] = [*seen]
        return Answer(
            document={"operators": found, "recorded": bool(note)},
            table=Table(headings=("operator", "roles", "since", ""), rows=rows),
            after=[] if note else ["Nothing was recorded: add --note to make it a review."],
        )

    finish(command, as_json=as_json)


def _table() -> Answer:
    rows = [[str(verb), *("yes" if role in WHO[verb] else "" for role in Role)] for verb in Verb]
    verbs: list[Json] = [{"verb": str(verb), "roles": _roles(WHO[verb])} for verb in Verb]
    return Answer(
        document={"verbs": verbs},
        table=Table(headings=("may", *Role), rows=rows),
        after=["Unless the home is solo, what loosens needs another person, who has existed for 24 hours."],
    )


def _roles(roles: frozenset[Role]) -> list[Json]:
    return [str(role) for role in Role if role in roles]


def _standing(person: Person) -> str:
    return "disabled" if person.disabled else "founder" if person.is_founder else ""


def _document(person: Person) -> Json:
    return {
        "name": person.name,
        "roles": _roles(person.roles),
        "tokenId": person.token_id,
        "createdAt": rfc3339(person.since_ms),
        "founder": person.is_founder,
        "disabled": person.disabled,
    }
