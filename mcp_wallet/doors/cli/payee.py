"""`payee add|list|remove`: the operator's address book."""

from typing import Annotated

import typer

from mcp_wallet.contract.changes import ChangeState, change_document
from mcp_wallet.contract.events import rfc3339
from mcp_wallet.control.payees import add_payee, remove_payee
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.identifiers import checksum_address, parse_address
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.settings import Settings
from mcp_wallet.doors.cli.changes import Why, change_answer
from mcp_wallet.doors.cli.output import Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import operator_session

payee_commands = typer.Typer(no_args_is_help=True, help="The address book: names that an agent can pay.")


@payee_commands.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and `-`.")],
    address: Annotated[str, typer.Argument(help="The address, with its EIP-55 checksum.")],
    *,
    category: Annotated[str, typer.Option(help="What payments to it are for; policies can match it.")] = "",
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Propose a payee; in a solo home it is added at once, as a new version of the settings."""

    async def command() -> Answer:
        async with operator_session(Verb.PROPOSE) as session:
            ledger = session.home.ledger
            change = await add_payee(
                ledger, name=name, address=address, category=category, reason=reason, actor=session.actor
            )
            settings = await ledger.settings() or session.home.settings
        found = settings.book.by_name.get(name)
        if change.state is not ChangeState.ACTIVE or found is None:
            return change_answer(change, more={"name": name, "address": checksum_address(parse_address(address))})
        lines = [
            f"{name} is {checksum_address(found.address)}. Settings version {settings.version} is in force.",
            "A policy that is active was resolved before: propose it again to let it pay by this name.",
        ]
        return Answer(document=change_document(change) | _document(found) | _version(settings), lines=lines)

    finish(command, as_json=as_json)


@payee_commands.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """Show all payees."""

    async def command() -> Answer:
        async with operator_session() as session:
            payees = session.home.settings.book.payees
            rows = [[p.name, checksum_address(p.address), p.category, rfc3339(p.added_at_ms)] for p in payees]
            return Answer(
                document={"payees": [_document(p) for p in payees], **_version(session.home.settings)},
                table=Table(headings=("name", "address", "category", "added"), rows=rows),
                after=() if rows else ["No payees yet: `mcp-wallet payee add NAME ADDRESS`."],
            )

    finish(command, as_json=as_json)


@payee_commands.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="The payee's name.")], *, reason: Why = "", as_json: AsJson = False
) -> None:
    """Remove a payee at once: a new version of the settings."""

    async def command() -> Answer:
        async with operator_session(Verb.PROPOSE) as session:
            settings, gone = await remove_payee(session.home.ledger, name=name, reason=reason, actor=session.actor)
        address = checksum_address(gone.address)
        return Answer(
            document={"removed": name, "address": address, **_version(settings)},
            lines=[
                f"{name} is no longer a payee. Settings version {settings.version} is in force.",
                f"A policy that lists {address} still allows it: `mcp-wallet kill --recipient {address}` stops it.",
            ],
        )

    finish(command, as_json=as_json)


def _document(payee: Payee) -> dict[str, Json]:
    return {
        "name": payee.name,
        "address": checksum_address(payee.address),
        "category": payee.category,
        "addedAt": rfc3339(payee.added_at_ms),
    }


def _version(settings: Settings) -> dict[str, Json]:
    return {"settingsVersion": settings.version, "settingsHash": settings.hash}
