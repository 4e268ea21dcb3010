"""The operator plane's direct writes: each one transaction with its event.

What loosens goes by proposal (`changes.py`); the verbs here that do are for homes that are being made, for solo homes,
and for the wallet itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcp_wallet.adapters.sqlite.agents import Agents
from mcp_wallet.adapters.sqlite.approvals import Approvals
from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.control_trail import ControlTrail, actor_document
from mcp_wallet.adapters.sqlite.effects import Effects
from mcp_wallet.adapters.sqlite.gate import engage_freeze
from mcp_wallet.adapters.sqlite.operators import Operators
from mcp_wallet.adapters.sqlite.versions import Versions
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.address_book import without_payee
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.four_eyes import Person
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.policy_commitment import policy_hash
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Actor, AgentRow


@dataclass(slots=True)
class ControlPlane:
    """Control operations; methods run on the connection's thread, inside a transaction."""

    raw: Raw
    trail: ControlTrail
    operators: Operators
    agents: Agents
    versions: Versions
    effects: Effects
    approvals: Approvals

    def apply_settings(self, settings: Settings, actor: Actor, events: Sequence[tuple[str, Json]]) -> None:
        """Store the next settings version and say what changed; refused when it was made from an older one."""
        self.trail.refuse_alone(actor)
        self.versions.apply_settings(settings, {}, actor, events=events)

    def add_operator(self, person: Person, token_hash: str, actor: Actor) -> None:
        """Create a person."""
        self.trail.refuse_alone(actor)
        self.operators.add(person, token_hash, actor)

    def activate_policy(self, policy_id: str, document: Json, actor: Actor) -> str:
        """Store the next version and make it the active one; an equal active version stays."""
        self.trail.refuse_alone(actor)
        digest = policy_hash(document)
        if self.versions.active_hash(policy_id) != digest:
            version = self.versions.store_policy(policy_id, digest, document)
            self.versions.activate_policy(policy_id, version, {}, actor)
        return digest

    def add_agent(self, row: AgentRow, secret_hash: str, actor: Actor) -> None:
        """Create the agent, bind it and issue its credential."""
        self.trail.refuse_alone(actor)
        self.agents.add(row, secret_hash, actor)

    def rotate_key(self, agent_id: str, key_id: str, secret_hash: str, grace_ms: int, actor: Actor) -> None:
        """Issue a further key for an agent."""
        self.operators.authorize(actor, Verb.PROPOSE)
        self.agents.rotate(agent_id, key_id, secret_hash, grace_ms, actor)

    def revoke_key(self, agent_id: str, key_id: str, reason: str, actor: Actor) -> list[str]:
        """Take keys of an agent away."""
        self.operators.authorize(actor, Verb.STOP)
        return self.agents.revoke(agent_id, key_id, reason, actor)

    def disable_agent(self, agent_id: str, reason: str, actor: Actor) -> None:
        """Disable an agent."""
        self.operators.authorize(actor, Verb.STOP)
        self.agents.disable(agent_id, reason, actor)

    def remove_payee(self, name: str, reason: str, actor: Actor) -> tuple[Settings, Payee]:
        """Remove a payee, which tightens; return the settings then in force and who it was."""
        self.operators.authorize(actor, Verb.PROPOSE)
        settings = self.trail.state.control.settings
        assert settings is not None, "a home that is in use has settings"  # noqa: S101
        following, payee = without_payee(settings, name)
        detail: dict[str, Json] = {"name": name, "address": payee.address}
        context: dict[str, Json] = {"classification": "tightens", "reason": reason}
        self.versions.apply_settings(following, context, actor, events=[(EventType.PAYEE_REMOVED, detail)])
        return following, payee

    def freeze(self, kind: str, value: str, reason: str, actor: Actor) -> None:
        """Engage the kill switch, which closes what waits under it; engaging it again records the new reason."""
        state, at_ms, who = self.trail.state, self.trail.now(), actor_document(actor)
        engage_freeze(self.raw, state, kind=kind, value=value, reason=reason, actor=who, at_ms=at_ms)
        self.approvals.close_covered()

    def unfreeze(self, kind: str, value: str, reason: str, actor: Actor) -> bool:
        """Release the kill switch; False when nothing was frozen so."""
        self.trail.refuse_alone(actor)
        return self.effects.release(kind, value, reason, actor)

    def record(self, event_type: str, payload: Mapping[str, Json], actor: Actor) -> int:
        """Append an event that changes no table."""
        return self.trail.event(event_type, payload, actor)
