"""A policy's way into force: proposed with its checks and its classification, approved, activated, superseded.

A file on disk is a draft and decides nothing. What is proposed is resolved: lists read, names turned into addresses;
from then on nothing on disk changes it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mcp_wallet.contract.changes import Change, ChangeKind, ChangeState, NewChange
from mcp_wallet.control.justification import optional_reason
from mcp_wallet.control.policy_files import PolicyFile, load_policy_file
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import compile_policy
from mcp_wallet.core.diff import Classification, classify
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.policy_commitment import policy_hash
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Actor, PolicyVersion

WARNINGS_MAX: Final = 20
TEST_SUFFIX: Final = ".test.yaml"


async def propose_policy(
    ledger: ControlLedger, settings: Settings, path: Path, *, reason: str, actor: Actor
) -> tuple[Change, PolicyFile]:
    """Return the proposal of a policy file whose own tests pass.

    Raises:
        OwnerError: `POLICY_INVALID` with every problem of the file, or every case beside it that fails.
        CallerError: `INTENT_INVALID` when it is what is in force already; `PERMISSION_DENIED`.
    """
    loaded = load_policy_file(path, registry=settings.registry, book=settings.book)
    checks: dict[str, Json] = {"loads": True, "warnings": list(loaded.warnings[:WARNINGS_MAX])}
    checks["tests"] = _run_tests(path, settings)
    change = await propose_document(ledger, settings, loaded, checks=checks, reason=reason, actor=actor)
    return change, loaded


async def propose_document(
    ledger: ControlLedger,
    settings: Settings,
    loaded: PolicyFile,
    *,
    checks: dict[str, Json],
    reason: str,
    actor: Actor,
) -> Change:
    """Return the proposal of a policy that was resolved; raises as `propose_policy`."""
    policy_id, digest = loaded.policy.policy_id, policy_hash(loaded.document)
    active = (await ledger.active_policies()).get(policy_id)
    if active is not None and active[1] == digest:
        sentence = f"This is what is in force already as version {active[0]} of `{policy_id}`."
        raise CallerError(ReasonCode.INTENT_INVALID, sentence)
    change = NewChange(
        kind=ChangeKind.POLICY,
        subject=policy_id,
        body=loaded.document,
        classification=_classified(active, loaded.document, settings),
        hash=digest,
        base_hash=active[1] if active else "",
        checks=checks,
        reason=optional_reason(reason),
    )
    return await ledger.propose(change, actor=actor)


async def propose_rollback(
    ledger: ControlLedger, settings: Settings, policy_id: str, *, version: int | None, reason: str, actor: Actor
) -> Change:
    """Return the proposal to put an old version in force again; the one before the active one when None.

    Raises:
        CallerError: `POLICY_MISSING` when there is no such version; `INTENT_INVALID` when it is the active one or was
            never in force; `PERMISSION_DENIED`.
    """
    versions = await ledger.policy_versions(policy_id)
    target = _earlier(versions, version)
    document = await ledger.policy_document(policy_id, target.version)
    active = (await ledger.active_policies()).get(policy_id)
    change = NewChange(
        kind=ChangeKind.POLICY,
        subject=policy_id,
        body={"rollback": True},
        classification=_classified(active, document, settings),
        detail={"rollback": True},
        hash=target.hash,
        base_hash=active[1] if active else "",
        version=target.version,
        reason=optional_reason(reason),
    )
    return await ledger.propose(change, actor=actor)


async def find_proposal(
    ledger: ControlLedger, kind: ChangeKind, subject: str, *, version: int | None, states: tuple[ChangeState, ...]
) -> Change:
    """Return the newest proposal of this kind and subject that stands so, or the one of a version.

    Raises:
        CallerError: `APPROVAL_CLOSED` when there is one, but it stands otherwise; `INTENT_INVALID` when there is none.
    """
    found = [c for c in await ledger.changes(kind=kind, subject=subject) if version in (None, c.version)]
    fitting = next((c for c in found if c.state in states), None)
    if fitting is not None:
        return fitting
    if not found:
        sentence = f"Nothing was proposed for `{subject[:64]}`{'' if version is None else f' as version {version}'}."
        raise CallerError(ReasonCode.INTENT_INVALID, sentence)
    sentence = f"The newest proposal for `{subject[:64]}`, version {found[0].version}, is {found[0].state} already."
    raise CallerError(ReasonCode.APPROVAL_CLOSED, sentence)


def _classified(active: tuple[str, str, Json] | None, document: Json, settings: Settings) -> Classification:
    old = None if active is None else compile_policy(active[2], version=active[0], settings=settings)
    return classify(old, compile_policy(document, version="0", settings=settings))


def _earlier(versions: list[PolicyVersion], wanted: int | None) -> PolicyVersion:
    was_active = [v for v in versions if v.activated_at_ms and not v.active]
    if wanted is not None:
        found = next((v for v in was_active if v.version == wanted), None)
    else:
        found = max(was_active, key=lambda v: v.activated_at_ms[-1], default=None)
    if found is None:
        sentence = "There is no such version that was in force before: `mcp-wallet policy history` shows them."
        raise CallerError(ReasonCode.INTENT_INVALID, sentence)
    return found


def _run_tests(path: Path, settings: Settings) -> dict[str, Json]:
    """Return how the cases beside the policy came out; `OwnerError(POLICY_INVALID)` naming those that fail."""
    from mcp_wallet.control.policy_test import run_policy_tests  # noqa: PLC0415  not for those who only list

    files = [file for file in _candidates(path) if file.exists()]
    if not files:
        return {"files": 0, "passed": 0}
    report = run_policy_tests(files, registry=settings.registry)
    if report.failed:
        failed = [f"{case.file}: {case.name}: {case.message}" for case in report.cases if not case.ok]
        sentence = f"{report.failed} of {len(report.cases)} cases beside the policy fail: it was not proposed."
        details: Mapping[str, str] = {"problems": "\n".join(failed), "count": str(report.failed)}
        raise OwnerError(ReasonCode.POLICY_INVALID, sentence, details)
    return {"files": len(files), "passed": len(report.cases)}


def _candidates(path: Path) -> list[Path]:
    """Return where the policy's own tests may stand: `refunds.json.test.yaml`, else `refunds.test.yaml` for YAML."""
    whole = path.with_name(path.name + TEST_SUFFIX)
    by_stem = path.with_name(path.stem + TEST_SUFFIX)
    return [whole] if path.suffix == ".json" or whole.exists() else [by_stem]
