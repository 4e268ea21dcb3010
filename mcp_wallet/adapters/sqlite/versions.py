"""Numbered versions of policies and settings; methods run on the connection's thread, inside a transaction.

A version never changes once it is stored. Which one is in force, and since when, changes with the event that says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.control_trail import ControlTrail
from mcp_wallet.contract.changes import ChangeKind, ChangeState
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Actor, PolicyVersion


@dataclass(slots=True)
class Versions:
    """The tables of versions."""

    raw: Raw
    trail: ControlTrail

    def active_hash(self, policy_id: str) -> str:
        """Return the hash of the policy's active version, empty when none is active."""
        found = self.trail.state.control.documents.get(policy_id)
        return found[1] if found else ""

    def store_policy(self, policy_id: str, digest: str, document: Json) -> int:
        """Store the next version, not in force, and return its number."""
        found = self.raw.execute("SELECT max(version) FROM policy_version WHERE policy_id = ?", (policy_id,)).fetchone()
        version: int = (found[0] or 0) + 1
        self.trail.state.lists.keep(self.raw, document)
        self.raw.execute(
            "INSERT INTO policy_version (policy_id, version, hash, document, active) VALUES (?, ?, ?, ?, 0)",
            (policy_id, version, digest, canonical_bytes(document).decode()),
        )
        return version

    def activate_policy(self, policy_id: str, version: int, context: Mapping[str, Json], actor: Actor) -> None:
        """Put a stored version in force, from the next decision of any process on; the one before is superseded."""
        before = self.trail.state.control.documents.get(policy_id)
        digest = self._digest(policy_id, version)
        again = self.raw.execute(
            "SELECT 1 FROM policy_activation WHERE policy_id = ? AND version = ?", (policy_id, version)
        ).fetchone()
        payload: dict[str, Json] = {
            "policyId": policy_id,
            "version": str(version),
            "policyHash": digest,
            "versionBefore": before[0] if before else "",
            "policyHashBefore": before[1] if before else "",
        }
        kind = EventType.POLICY_ROLLED_BACK if again else EventType.POLICY_ACTIVATED
        at_ms = self.trail.now()
        sequence = self.trail.event(kind, payload | dict(context), actor, at_ms=at_ms)
        self.raw.execute(
            "UPDATE policy_version SET active = (version = ?) WHERE policy_id = ?",
            (version, policy_id),
        )
        self.raw.execute(
            "INSERT INTO policy_activation (sequence, policy_id, version, at_ms) VALUES (?, ?, ?, ?)",
            (sequence, policy_id, version, at_ms),
        )
        self.raw.execute(
            "UPDATE change SET state = ? WHERE kind = ? AND subject = ? AND state = ? AND version <> ?",
            (
                str(ChangeState.SUPERSEDED),
                str(ChangeKind.POLICY),
                policy_id,
                str(ChangeState.ACTIVE),
                version,
            ),
        )
        self.trail.state.load_control(self.raw)

    def policy_versions(self, policy_id: str) -> list[PolicyVersion]:
        """Return every version of a policy, oldest first, with when each came into force.

        Raises:
            CallerError: `POLICY_MISSING` when there is none.
        """
        rows = self.raw.execute(
            "SELECT version, hash, active, (SELECT group_concat(at_ms) FROM policy_activation a "
            "WHERE a.policy_id = v.policy_id AND a.version = v.version) FROM policy_version v "
            "WHERE policy_id = ? ORDER BY version",
            (policy_id,),
        ).fetchall()
        if not rows:
            raise CallerError(ReasonCode.POLICY_MISSING, f"No policy is called `{policy_id[:64]}`.")
        return [
            PolicyVersion(
                policy_id=policy_id,
                version=version,
                hash=digest,
                active=bool(active),
                activated_at_ms=tuple(sorted(int(at) for at in str(times).split(","))) if times else (),
            )
            for version, digest, active, times in rows
        ]

    def policy_document(self, policy_id: str, version: int) -> Json:
        """Return a stored version, its long lists at hand; `CallerError(POLICY_MISSING)` when there is none."""
        row = self.raw.execute(
            "SELECT document FROM policy_version WHERE policy_id = ? AND version = ?", (policy_id, version)
        ).fetchone()
        if row is None:
            raise CallerError(ReasonCode.POLICY_MISSING, f"The policy `{policy_id[:64]}` has no version {version}.")
        return self.trail.state.lists.restored(self.raw, orjson.loads(row[0]))

    def apply_settings(
        self,
        settings: Settings,
        context: Mapping[str, Json],
        actor: Actor,
        *,
        events: Sequence[tuple[str, Json]] = (),
    ) -> None:
        """Store the next settings version and say what changed; it is in force from the next decision on.

        Raises:
            OwnerError: `CONFIG_UNAPPROVED` when it was made from an older version than the one in force.
        """
        version = (self.raw.execute("SELECT max(version) FROM settings_version").fetchone()[0] or 0) + 1
        if settings.version != str(version):
            sentence = "The settings changed meanwhile: run the command again."
            raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence)
        self.raw.execute(
            "INSERT INTO settings_version (version, hash, document) VALUES (?, ?, ?)",
            (version, settings.hash, canonical_bytes(settings.document).decode()),
        )
        if self.trail.state.control.settings is None:
            self.trail.state.control.settings = settings
        payload: dict[str, Json] = {"version": str(version), "settingsHash": settings.hash}
        self.trail.event(EventType.CONFIG_APPLIED, payload | dict(context), actor)
        for kind, detail in events:
            self.trail.event(kind, {"detail": detail}, actor)
        self.trail.state.load_control(self.raw)

    def _digest(self, policy_id: str, version: int) -> str:
        row = self.raw.execute(
            "SELECT hash FROM policy_version WHERE policy_id = ? AND version = ?", (policy_id, version)
        ).fetchone()
        assert row is not None, "a proposal names a version that is stored"  # noqa: S101
        return str(row[0])
