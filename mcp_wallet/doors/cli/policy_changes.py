"""`policy propose|approve|reject|activate|rollback|history`: a policy's way into force."""

from pathlib import Path
from typing import Annotated

import typer

from mcp_wallet.contract.changes import Change, ChangeKind, ChangeState, change_document
from mcp_wallet.contract.events import rfc3339
from mcp_wallet.control.justification import optional_reason, required_reason
from mcp_wallet.control.policies import find_proposal, propose_policy, propose_rollback
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.roles import Verb
from mcp_wallet.doors.cli.changes import Why, change_answer
from mcp_wallet.doors.cli.output import Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import operator_session
from mcp_wallet.ports import PolicyVersion

PolicyId = Annotated[str, typer.Argument(help="The policy's id.")]
Version = Annotated[int | None, typer.Option(min=1, help="Which version; the newest that fits when left out.")]
_OPEN = (ChangeState.PROPOSED, ChangeState.APPROVED)


def propose(
    file: Annotated[Path, typer.Argument(help="The policy file, YAML or JSON.")],
    *,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Propose a policy as its next version, resolved as it is now; the cases beside the file must pass."""

    async def command() -> Answer:
        async with operator_session(Verb.PROPOSE) as session:
            home = session.home
            change, loaded = await propose_policy(home.ledger, home.settings, file, reason=reason, actor=session.actor)
        warnings = [f"warning: {warning}" for warning in loaded.warnings]
        return change_answer(change, warnings, more=_named(change))

    finish(command, as_json=as_json)


def approve(policy_id: PolicyId, *, version: Version = None, reason: Why = "", as_json: AsJson = False) -> None:
    """Approve what another person proposed; it is not in force yet."""

    async def command() -> Answer:
        async with operator_session(Verb.APPROVE) as session:
            ledger = session.home.ledger
            change = await find_proposal(
                ledger, ChangeKind.POLICY, policy_id, version=version, states=(ChangeState.PROPOSED,)
            )
            why = optional_reason(reason)
            change = await ledger.approve_change(change.sequence, reason=why, actor=session.actor)
        return change_answer(change, more=_named(change))

    finish(command, as_json=as_json)


def reject(policy_id: PolicyId, *, reason: Why, version: Version = None, as_json: AsJson = False) -> None:
    """Reject a proposal, or take back one's own."""

    async def command() -> Answer:
        async with operator_session() as session:
            ledger, why = session.home.ledger, required_reason(reason)
            change = await find_proposal(ledger, ChangeKind.POLICY, policy_id, version=version, states=_OPEN)
            change = await ledger.reject_change(change.sequence, reason=why, actor=session.actor)
        return change_answer(change, more=_named(change))

    finish(command, as_json=as_json)


def activate(policy_id: PolicyId, *, version: Version = None, as_json: AsJson = False) -> None:
    """Put an approved version in force, from the next decision on; what only tightens needs no approval."""

    async def command() -> Answer:
        async with operator_session() as session:
            ledger = session.home.ledger
            change = await find_proposal(ledger, ChangeKind.POLICY, policy_id, version=version, states=_OPEN)
            change = await ledger.put_in_force(change.sequence, actor=session.actor)
        return change_answer(change, more=_named(change))

    finish(command, as_json=as_json)


def rollback(
    policy_id: PolicyId,
    *,
    to: Annotated[int | None, typer.Option(min=1, help="Which version; the one before when left out.")] = None,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Put an old version in force again; unless it only tightens or the home is solo, another approves first."""

    async def command() -> Answer:
        async with operator_session(Verb.PROPOSE) as session:
            home = session.home
            change = await propose_rollback(
                home.ledger, home.settings, policy_id, version=to, reason=reason, actor=session.actor
            )
            if home.settings.solo or not change.classification.is_loosening:
                change = await home.ledger.put_in_force(change.sequence, actor=session.actor)
        return change_answer(change, more=_named(change))

    finish(command, as_json=as_json)


def history(policy_id: PolicyId, *, as_json: AsJson = False) -> None:
    """Show every version: who proposed and approved it, why, what it does, and when it came into force."""

    async def command() -> Answer:
        async with operator_session() as session:
            versions = await session.home.ledger.policy_versions(policy_id)
            changes = await session.home.ledger.changes(kind=ChangeKind.POLICY, subject=policy_id)
        rows = [_row(version, changes) for version in versions]
        headings = ("version", "state", "does", "proposed by", "approved by", "why", "in force since", "hash")
        found: list[Json] = [_version_document(version, changes) for version in versions]
        return Answer(document={"policyId": policy_id, "versions": found}, table=Table(headings=headings, rows=rows))

    finish(command, as_json=as_json)


def add_change_commands(commands: typer.Typer) -> None:
    """Add these commands to the group of policy commands."""
    for command in (propose, approve, reject, activate, rollback, history):
        commands.command(command.__name__)(command)


def _named(change: Change) -> dict[str, Json]:
    return {"policyId": change.subject, "policyHash": change.hash}


def _state(version: PolicyVersion, changes: list[Change]) -> str:
    if version.active:
        return "active"
    newest = next((c for c in changes if c.version == version.version), None)
    if newest is not None and newest.state is not ChangeState.ACTIVE:
        return str(newest.state) if newest.is_open or not version.activated_at_ms else "superseded"
    return "superseded"


def _version_document(version: PolicyVersion, changes: list[Change]) -> dict[str, Json]:
    return {
        "version": str(version.version),
        "policyHash": version.hash,
        "state": _state(version, changes),
        "activatedAt": [rfc3339(at_ms) for at_ms in version.activated_at_ms],
        "proposals": [change_document(c) for c in changes if c.version == version.version],
    }


def _row(version: PolicyVersion, changes: list[Change]) -> list[str]:
    newest = next((c for c in changes if c.version == version.version), None)
    said = ("", "", "", "")
    if newest is not None:
        said = (str(newest.classification), newest.proposed_by, ", ".join(newest.approved_by), newest.reason)
    since = ", ".join(rfc3339(at_ms) for at_ms in version.activated_at_ms)
    return [str(version.version), _state(version, changes), *said, since, version.hash]
