"""The operator plane's writes: each one transaction with its event."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.gate import engage_freeze
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.adapters.sqlite.trail import append_event
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.policy_commitment import policy_hash
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Actor, AgentRow, Clock


@dataclass(slots=True)
class ControlPlane:
    """Control operations; methods run on the connection's thread, inside a transaction."""

    raw: Raw
    state: LedgerState
    clock: Clock

    def apply_settings(self, settings: Settings, actor: Actor, events: Sequence[tuple[str, Json]]) -> None:
        """Store the next settings version and say what changed; refused when it was made from an older one."""
        version = (self.raw.execute("SELECT max(version) FROM settings_version").fetchone()[0] or 0) + 1
        if settings.version != str(version):
            sentence = "The settings changed meanwhile: run the command again."
            raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence)
        self.raw.execute(
            "INSERT INTO settings_version (version, hash, document) VALUES (?, ?, ?)",
            (version, settings.hash, canonical_bytes(settings.document).decode()),
        )
        if self.state.control.settings is None:
            self.state.control.settings = settings
        payload: dict[str, Json] = {"version": str(version), "settingsHash": settings.hash}
        self._event(EventType.CONFIG_APPLIED, payload, actor)
        for kind, detail in events:
            self._event(kind, {"detail": detail}, actor)
        self.state.load_control(self.raw)

    def add_operator(self, *, name: str, role: str, token_id: str, token_hash: str, actor: Actor) -> None:
        """Create an operator; the token itself is never stored."""
        self.raw.execute(
            "INSERT INTO operator (name, role, token_id, token_hash, created_at_ms) VALUES (?, ?, ?, ?, ?)",
            (name, role, token_id, token_hash, self._now()),
        )
        self._event(EventType.OPERATOR_CREATED, {"operator": name, "role": role, "tokenId": token_id}, actor)

    def find_operator(self, token_id: str, token_hash: str) -> Actor | None:
        """Return who holds the token, compared in constant time."""
        row = self.raw.execute("SELECT name, token_hash FROM operator WHERE token_id = ?", (token_id,)).fetchone()
        if row is None or not hmac.compare_digest(row[1], token_hash):
            return None
        return Actor(kind="operator", name=row[0])

    def activate_policy(self, policy_id: str, document: Json, actor: Actor) -> str:
        """Store the next version and make it the active one; an equal active version stays."""
        digest = policy_hash(document)
        active = self.state.control.documents.get(policy_id)
        if active is not None and active[1] == digest:
            return digest
        found = self.raw.execute("SELECT max(version) FROM policy_version WHERE policy_id = ?", (policy_id,)).fetchone()
        version = (found[0] or 0) + 1
        self.state.lists.keep(self.raw, document)
        self.raw.execute("UPDATE policy_version SET active = 0 WHERE policy_id = ? AND active = 1", (policy_id,))
        self.raw.execute(
            "INSERT INTO policy_version (policy_id, version, hash, document, active) VALUES (?, ?, ?, ?, 1)",
            (policy_id, version, digest, canonical_bytes(document).decode()),
        )
        payload: dict[str, Json] = {"policyId": policy_id, "version": str(version), "policyHash": digest}
        self._event(EventType.POLICY_ACTIVATED, payload, actor)
        self.state.load_control(self.raw)
        return digest

    def add_agent(self, row: AgentRow, secret_hash: str, actor: Actor) -> None:
        """Create the agent, bind it and issue its credential."""
        if row.agent_id in self.state.control.agents:
            raise OwnerError(ReasonCode.POLICY_INVALID, f"An agent called `{row.agent_id}` exists already.")
        if row.policy_id not in self.state.control.policies:
            raise OwnerError(ReasonCode.POLICY_MISSING, f"No active policy is called `{row.policy_id}`.")
        self.raw.execute(
            "INSERT INTO agent (agent_id, policy_id, category, key_id, secret_hash, created_at_ms, expires_at_ms, "
            "disabled) VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
            (
                row.agent_id,
                row.policy_id,
                row.category,
                row.key_id,
                secret_hash,
                self._now(),
                row.expires_at_ms,
            ),
        )
        agent_id = row.agent_id
        self._event(EventType.AGENT_CREATED, {"category": row.category}, actor, agent_id)
        self._event(EventType.AGENT_BOUND, {"policyId": row.policy_id, "policyHash": row.policy_hash}, actor, agent_id)
        self._event(EventType.CREDENTIAL_ISSUED, {"keyId": row.key_id}, actor, agent_id)
        self.state.load_control(self.raw)

    def freeze(self, kind: str, value: str, reason: str, actor: Actor) -> None:
        """Engage the kill switch; engaging it again records the new reason."""
        engage_freeze(
            self.raw, self.state, kind=kind, value=value, reason=reason, actor=_actor(actor), at_ms=self._now()
        )

    def unfreeze(self, kind: str, value: str, reason: str, actor: Actor) -> bool:
        """Release the kill switch; False when nothing was frozen so."""
        if (kind, value) not in self.state.books.freezes:
            return False
        self.raw.execute("DELETE FROM freeze WHERE kind = ? AND value = ?", (kind, value))
        self._event(EventType.KILL_SWITCH_RELEASED, {"kind": kind, "value": value, "reason": reason}, actor)
        return True

    def record(self, event_type: str, payload: Mapping[str, Json], actor: Actor) -> int:
        """Append an event that changes no table."""
        return self._event(event_type, payload, actor)

    def _event(self, kind: str, payload: Mapping[str, Json], actor: Actor, agent_id: str = "") -> int:
        solo = self.state.control.settings is not None and self.state.control.settings.solo
        separation: dict[str, Json] = {"separationOfDuties": False} if solo and actor.kind == "operator" else {}
        return append_event(
            self.state,
            kind,
            {"actor": _actor(actor)} | separation | dict(payload),
            at_ms=self._now(),
            agent_id=agent_id,
        )

    def _now(self) -> int:
        return max(self.clock(), self.state.books.last_event_ms)


def _actor(actor: Actor) -> dict[str, Json]:
    return {"kind": actor.kind, "name": actor.name}
