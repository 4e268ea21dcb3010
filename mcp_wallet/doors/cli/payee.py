"""`payee add|list|remove`: the operator's address book."""

from typing import Annotated

import typer

from mcp_wallet.contract.events import rfc3339
from mcp_wallet.control.payees import add_payee, remove_payee
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.identifiers import checksum_address
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.settings import Settings
from mcp_wallet.doors.cli.output import Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import operator_session

payee_commands = typer.Typer(no_args_is_help=True, help="The address book: names that an agent can pay.")


@payee_commands.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and `-`.")],
    address: Annotated[str, typer.Argument(help="The address, with its EIP-55 checksum.")],
    *,
    category: Annotated[str, typer.Option(help="What payments to it are for; policies can match it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Add a payee: a new version of the settings."""

    async def command() -> Answer:
        async with operator_session() as session:
            home = session.home
            settings = await add_payee(
                home.ledger,
                home.settings,
                name=name,
                address=address,
                category=category,
                own=home.signer.address,
                actor=session.actor,
                now_ms=home.clock(),
            )
            found = settings.book.by_name[name]
            return Answer(
                document=_document(found) | _version(settings),
                lines=[
                    f"{name} is {checksum_address(found.address)}. Settings version {settings.version} is in force.",
                    "A policy that is active was resolved before: `mcp-wallet agent add` resolves it again.",
                ],
            )

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
def remove(name: Annotated[str, typer.Argument(help="The payee's name.")], *, as_json: AsJson = False) -> None:
    """Remove a payee: a new version of the settings."""

    async def command() -> Answer:
        async with operator_session() as session:
            home = session.home
            gone = home.settings.book.by_name.get(name)
            settings = await remove_payee(home.ledger, home.settings, name=name, actor=session.actor)
            address = checksum_address(gone.address) if gone else ""
            return Answer(
                document={"removed": name, "address": address} | _version(settings),
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
