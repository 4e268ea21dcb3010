"""Agents and their keys; methods run on the connection's thread, inside a transaction.

An agent may have several keys while one replaces another. A key is revoked or runs out by itself; a disabled agent's
keys open nothing.
"""

from dataclasses import dataclass

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.control_trail import ControlTrail
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Actor, AgentKey, AgentRow


@dataclass(slots=True)
class Agents:
    """The tables of agents and keys."""

    raw: Raw
    trail: ControlTrail

    def add(self, row: AgentRow, secret_hash: str, actor: Actor) -> None:
        """Create the agent, bind it and issue its first key.

        Raises:
            OwnerError: `POLICY_INVALID` when the name is taken, `POLICY_MISSING` without an active policy.
        """
        self.check_new(row.agent_id, row.policy_id)
        owner, now_ms, agent_id = row.owner or actor.name, self.trail.now(), row.agent_id
        self.raw.execute(
            "INSERT INTO agent (agent_id, policy_id, category, owner, created_at_ms, disabled) "
            "VALUES (?, ?, ?, ?, ?, 0)",
            (agent_id, row.policy_id, row.category, owner, now_ms),
        )
        self._issue(agent_id, row.key_id, secret_hash, row.expires_at_ms)
        self.trail.event(EventType.AGENT_CREATED, {"category": row.category, "owner": owner}, actor, agent_id)
        self._bound(row.policy_id, actor, agent_id)
        self.trail.event(EventType.CREDENTIAL_ISSUED, {"keyId": row.key_id}, actor, agent_id)
        self.trail.state.load_control(self.raw)

    def bind(self, agent_id: str, policy_id: str, category: str, actor: Actor) -> None:
        """Put the agent under another policy or category.

        Raises:
            CallerError: `INTENT_INVALID` for an agent that nobody has.
            OwnerError: `POLICY_MISSING` without an active policy of that name.
        """
        self.check_binding(agent_id, policy_id)
        self.raw.execute(
            "UPDATE agent SET policy_id = ?, category = ? WHERE agent_id = ?", (policy_id, category, agent_id)
        )
        self._bound(policy_id, actor, agent_id, category=category)
        self.trail.state.load_control(self.raw)

    def rotate(self, agent_id: str, key_id: str, secret_hash: str, grace_ms: int, actor: Actor) -> None:
        """Issue a further key; those before it run out after the grace."""
        if self.get(agent_id).disabled:
            raise CallerError(ReasonCode.CREDENTIAL_REVOKED, f"The agent `{agent_id}` is disabled.")
        until_ms = self.trail.now() + grace_ms
        self.raw.execute(
            "UPDATE credential SET expires_at_ms = min(coalesce(expires_at_ms, ?), ?) WHERE agent_id = ? "
            "AND revoked = 0",
            (until_ms, until_ms, agent_id),
        )
        self._issue(agent_id, key_id, secret_hash, None)
        payload: dict[str, Json] = {"keyId": key_id, "graceMs": str(grace_ms)}
        self.trail.event(EventType.CREDENTIAL_ROTATED, payload, actor, agent_id)
        self.trail.state.load_control(self.raw)

    def revoke(self, agent_id: str, key_id: str, reason: str, actor: Actor) -> list[str]:
        """Take one key away at once, or all of the agent's when `key_id` is empty; return which."""
        self.get(agent_id)
        found = [k.key_id for k in self.keys(agent_id) if not k.revoked and key_id in ("", k.key_id)]
        if key_id and not found:
            raise CallerError(ReasonCode.INTENT_INVALID, f"The agent `{agent_id}` has no key `{key_id[:40]}` in use.")
        for name in found:
            self.raw.execute("UPDATE credential SET revoked = 1 WHERE key_id = ?", (name,))
            self.trail.event(EventType.CREDENTIAL_REVOKED, {"keyId": name, "reason": reason}, actor, agent_id)
        self.trail.state.load_control(self.raw)
        return found

    def disable(self, agent_id: str, reason: str, actor: Actor) -> None:
        """Let none of the agent's keys open anything any more; what it has under way is not signed."""
        self.get(agent_id)
        self.raw.execute("UPDATE agent SET disabled = 1 WHERE agent_id = ?", (agent_id,))
        self.trail.event(EventType.AGENT_DISABLED, {"reason": reason}, actor, agent_id)
        self.trail.state.load_control(self.raw)

    def keys(self, agent_id: str) -> list[AgentKey]:
        """Return the agent's keys, oldest first."""
        rows = self.raw.execute(
            "SELECT key_id, issued_at_ms, expires_at_ms, revoked FROM credential WHERE agent_id = ? "
            "ORDER BY issued_at_ms, key_id",
            (agent_id,),
        ).fetchall()
        return [
            AgentKey(key_id=key_id, issued_at_ms=issued, expires_at_ms=expires, revoked=bool(revoked))
            for key_id, issued, expires, revoked in rows
        ]

    def get(self, agent_id: str) -> AgentRow:
        """Return one agent; `CallerError(INTENT_INVALID)` for a name nobody has."""
        row = self.trail.state.control.agents.get(agent_id)
        if row is None:
            raise CallerError(ReasonCode.INTENT_INVALID, f"No agent is called `{agent_id[:64]}`.")
        return row

    def check_new(self, agent_id: str, policy_id: str) -> None:
        """Return when an agent of this name can be added under this policy; raises as `add`."""
        if agent_id in self.trail.state.control.agents:
            raise OwnerError(ReasonCode.POLICY_INVALID, f"An agent called `{agent_id}` exists already.")
        self._check_policy(policy_id)

    def check_binding(self, agent_id: str, policy_id: str) -> None:
        """Return when the agent can be put under this policy; raises as `bind`."""
        self.get(agent_id)
        self._check_policy(policy_id)

    def _check_policy(self, policy_id: str) -> None:
        if policy_id not in self.trail.state.control.policies:
            raise OwnerError(ReasonCode.POLICY_MISSING, f"No active policy is called `{policy_id}`.")

    def _bound(self, policy_id: str, actor: Actor, agent_id: str, **more: Json) -> None:
        digest = self.trail.state.control.policies[policy_id].hash
        payload: dict[str, Json] = {"policyId": policy_id, "policyHash": digest, **more}
        self.trail.event(EventType.AGENT_BOUND, payload, actor, agent_id)

    def _issue(self, agent_id: str, key_id: str, secret_hash: str, expires_at_ms: int | None) -> None:
        self.raw.execute(
            "INSERT INTO credential (key_id, agent_id, secret_hash, issued_at_ms, expires_at_ms, revoked) "
            "VALUES (?, ?, ?, ?, ?, 0)",
            (key_id, agent_id, secret_hash, self.trail.now(), expires_at_ms),
        )
