"""`config show` and `wallet address`: what the home is."""

import os

import typer

from mcp_wallet.control.environment import read_environment
from mcp_wallet.control.home import differing_settings
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.identifiers import checksum_address
from mcp_wallet.core.settings import Settings
from mcp_wallet.doors.cli.output import Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import operator_session
from mcp_wallet.wiring.opening import open_home

config_commands = typer.Typer(no_args_is_help=True, help="The settings that bear on money.")
wallet_commands = typer.Typer(no_args_is_help=True, help="The wallet's account.")


@config_commands.command("show")
def show(*, as_json: AsJson = False) -> None:
    """Show the active settings, and what wallet.toml says otherwise."""

    async def command() -> Answer:
        async with operator_session() as session:
            settings, paths = session.home.settings, session.home.paths
        changed = differing_settings(paths, settings)
        found: dict[str, Json] = {
            "version": settings.version,
            "settingsHash": settings.hash,
            "document": settings.document,
            "unapproved": list(changed),
        }
        unapproved = [f"wallet.toml differs in {', '.join(changed)}: servers refuse to start."] if changed else []
        return Answer(
            document=found,
            lines=[f"Settings version {settings.version}, {settings.hash}"],
            table=Table(headings=("setting", "value"), rows=_rows(settings)),
            after=unapproved,
        )

    finish(command, as_json=as_json)


@wallet_commands.command("address")
def address(*, as_json: AsJson = False) -> None:
    """Show the wallet's address; it is the same on every EVM chain."""

    async def command() -> Answer:
        async with open_home(read_environment(os.environ)) as home:
            shown = checksum_address(home.signer.address)
            chains: list[Json] = [home.settings.registry.chain(c).name for c in home.settings.chains]
        return Answer(document={"address": shown, "chains": chains}, lines=[shown])

    finish(command, as_json=as_json)


def _rows(settings: Settings) -> list[list[str]]:
    document = settings.document
    source = document.get("source") if isinstance(document, dict) else None
    return [[key, str(value)] for key, value in _flat("", source)]


def _flat(prefix: str, value: Json) -> list[tuple[str, Json]]:
    if isinstance(value, dict):
        return [row for key, inner in value.items() for row in _flat(f"{prefix}.{key}" if prefix else key, inner)]
    if isinstance(value, list) and any(isinstance(v, dict) for v in value):
        return [row for index, inner in enumerate(value) for row in _flat(f"{prefix}[{index}]", inner)]
    return [(prefix, ", ".join(map(str, value)) if isinstance(value, list) else value)]
