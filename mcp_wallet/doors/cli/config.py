"""`config show|propose|approve|reject|apply` and `wallet address`: what the home is."""

import os
from typing import Annotated

import typer

from mcp_wallet.contract.changes import Change, ChangeKind, ChangeState
from mcp_wallet.control.configuration import SUBJECT, propose_settings
from mcp_wallet.control.environment import read_environment
from mcp_wallet.control.home import differing_settings
from mcp_wallet.control.justification import optional_reason, required_reason
from mcp_wallet.control.policies import find_proposal
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.identifiers import checksum_address
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.settings import Settings
from mcp_wallet.doors.cli.changes import Why, change_answer
from mcp_wallet.doors.cli.output import Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import Session, operator_session
from mcp_wallet.wiring.opening import open_home

Version = Annotated[int | None, typer.Option(min=1, help="Which version; the newest that fits when left out.")]

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
        unapproved = (
            [f"wallet.toml differs in {', '.join(changed)}: servers refuse to start: mcp-wallet config propose."]
            if changed
            else []
        )
        return Answer(
            document=found,
            lines=[f"Settings version {settings.version}, {settings.hash}"],
            table=Table(headings=("setting", "value"), rows=_rows(settings)),
            after=unapproved,
        )

    finish(command, as_json=as_json)


@config_commands.command("propose")
def propose(*, reason: Why = "", as_json: AsJson = False) -> None:
    """Propose what wallet.toml says; until it is applied it decides nothing."""

    async def command() -> Answer:
        async with operator_session(Verb.PROPOSE) as session:
            home = session.home
            change = await propose_settings(home.ledger, home.settings, home.paths, reason=reason, actor=session.actor)
        return change_answer(change, _differences(change))

    finish(command, as_json=as_json)


@config_commands.command("approve")
def approve(*, version: Version = None, reason: Why = "", as_json: AsJson = False) -> None:
    """Approve what another person proposed; it is not in force yet."""

    async def command() -> Answer:
        async with operator_session(Verb.APPROVE) as session:
            change = await _proposal(session, version, (ChangeState.PROPOSED,))
            why = optional_reason(reason)
            change = await session.home.ledger.approve_change(change.sequence, reason=why, actor=session.actor)
        return change_answer(change, _differences(change))

    finish(command, as_json=as_json)


@config_commands.command("reject")
def reject(*, reason: Why, version: Version = None, as_json: AsJson = False) -> None:
    """Reject a proposal, or take back one's own."""

    async def command() -> Answer:
        async with operator_session() as session:
            why = required_reason(reason)
            change = await _proposal(session, version, (ChangeState.PROPOSED, ChangeState.APPROVED))
            change = await session.home.ledger.reject_change(change.sequence, reason=why, actor=session.actor)
        return change_answer(change)

    finish(command, as_json=as_json)


@config_commands.command("apply")
def apply(*, version: Version = None, as_json: AsJson = False) -> None:
    """Put approved settings in force, from the next decision on; what only tightens needs no approval."""

    async def command() -> Answer:
        async with operator_session() as session:
            change = await _proposal(session, version, (ChangeState.PROPOSED, ChangeState.APPROVED))
            change = await session.home.ledger.put_in_force(change.sequence, actor=session.actor)
            active = await session.home.ledger.settings() or session.home.settings
        more: dict[str, Json] = {"settingsVersion": active.version, "settingsHash": active.hash}
        return change_answer(change, [f"Settings version {active.version} is in force, {active.hash}"], more=more)

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


async def _proposal(session: Session, version: int | None, states: tuple[ChangeState, ...]) -> Change:
    ledger = session.home.ledger
    return await find_proposal(ledger, ChangeKind.SETTINGS, SUBJECT, version=version, states=states)


def _differences(change: Change) -> list[str]:
    """Return what would change, one line each."""
    checks = change.checks if isinstance(change.checks, dict) else {}
    found = checks.get("changes")
    rows = found if isinstance(found, list) else []
    return [
        f"  {row['key']}: {row['before'] or '(nothing)'} → {row['after'] or '(nothing)'} ({row['classification']})"
        for row in rows
        if isinstance(row, dict)
    ]


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
