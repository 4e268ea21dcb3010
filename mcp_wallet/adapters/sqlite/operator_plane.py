"""The operator plane's verbs on a ledger: which of them runs as a write, which as a read."""

from collections.abc import Mapping, Sequence
from typing import Final

from mcp_wallet.adapters.sqlite.agents import Agents
from mcp_wallet.adapters.sqlite.approvals import Approvals
from mcp_wallet.adapters.sqlite.changes import Changes
from mcp_wallet.adapters.sqlite.committer import Committer, raw_of
from mcp_wallet.adapters.sqlite.control import ControlPlane
from mcp_wallet.adapters.sqlite.control_trail import ControlTrail
from mcp_wallet.adapters.sqlite.decided_again import DecidedAgain
from mcp_wallet.adapters.sqlite.effects import Effects
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.adapters.sqlite.operators import Operators, authorize
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.adapters.sqlite.versions import Versions
from mcp_wallet.contract.changes import Change, ChangeKind, NewChange
from mcp_wallet.contract.events import EventType
from mcp_wallet.control_ports import ApprovalRequest, Closed
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.credentials import credential_hash, parse_operator_token
from mcp_wallet.core.decision import Facts
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.four_eyes import Person
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import (
    Actor,
    AgentKey,
    AgentRow,
    Approved,
    Clock,
    Denied,
    Granted,
    PaymentRecord,
    PolicyVersion,
)

SYSTEM: Final = Actor(kind="system", name="wallet")


class OperatorPlane:
    """`ports.ControlLedger` over one committer; see there for what each verb promises."""

    def __init__(
        self, committer: Committer, state: LedgerState, *, home_key: bytes, clock: Clock, sender: Address
    ) -> None:
        """Put the control plane's parts together."""
        self._committer, self._state, self._home_key = committer, state, home_key
        raw, trail = raw_of(committer), ControlTrail(state, clock)
        self._operators, self._agents = Operators(raw, trail), Agents(raw, trail)
        self._versions = Versions(raw, trail)
        effects = Effects(raw, trail, self._operators, self._agents, self._versions, sender)
        self._changes = Changes(raw, trail, self._operators, effects)
        names = KeyedNames(home_key)
        again = DecidedAgain(raw, state, names, clock)
        self._approvals = Approvals(raw, trail, self._operators, names, again)
        self._control = ControlPlane(
            raw, trail, self._operators, self._agents, self._versions, effects, self._approvals
        )

    # -- people ------------------------------------------------------------------------------------------------

    async def operator(self, token: str, verb: Verb = Verb.SEE) -> Actor:
        """See `ports.ControlLedger`."""
        person = await self._holder(token)
        authorize(person, verb)
        return Actor(kind="operator", name=person.name)

    async def operators(self) -> list[Person]:
        """See `ports.ControlLedger`."""
        return await self._committer.read(self._operators.all, of_payments=False)

    async def add_operator(self, person: Person, *, token_hash: str, actor: Actor) -> None:
        """See `ports.ControlLedger`."""
        await self._committer.write(lambda: self._control.add_operator(person, token_hash, actor))

    async def disable_operator(self, name: str, *, reason: str, actor: Actor) -> None:
        """See `ports.ControlLedger`."""
        await self._committer.write(lambda: self._operators.disable(name, reason, actor))

    async def _holder(self, token: str) -> Person:
        token_id = parse_operator_token(token) or ""
        digest = credential_hash(self._home_key, token)
        found = await self._committer.read(lambda: self._operators.find(token_id, digest), of_payments=False)
        if found is None:
            await self.record(EventType.OPERATOR_LOGIN_FAILED, {"tokenId": token_id[:32]}, actor=SYSTEM)
            raise CallerError(ReasonCode.CREDENTIAL_INVALID, "The operator token is not valid in this home.")
        return found

    # -- proposals ---------------------------------------------------------------------------------------------

    async def propose(self, change: NewChange, *, actor: Actor) -> Change:
        """See `ports.ControlLedger`."""
        return await self._committer.write(lambda: self._changes.propose(change, actor))

    async def approve_change(self, sequence: int, *, reason: str, actor: Actor) -> Change:
        """See `ports.ControlLedger`."""
        return await self._committer.write(lambda: self._changes.approve(sequence, reason, actor))

    async def reject_change(self, sequence: int, *, reason: str, actor: Actor) -> Change:
        """See `ports.ControlLedger`."""
        return await self._committer.write(lambda: self._changes.reject(sequence, reason, actor))

    async def put_in_force(self, sequence: int, *, actor: Actor) -> Change:
        """See `ports.ControlLedger`."""
        return await self._committer.write(lambda: self._changes.put_in_force(sequence, actor))

    async def changes(
        self, *, kind: ChangeKind | None = None, subject: str = "", open_only: bool = False
    ) -> list[Change]:
        """See `ports.ControlLedger`."""
        return await self._committer.read(lambda: self._changes.find(kind=kind, subject=subject, open_only=open_only))

    # -- payments that wait for people -----------------------------------------------------------------------------

    async def approval_requests(self) -> list[ApprovalRequest]:
        """See `control_ports.ControlLedger`."""
        return await self._committer.read(self._approvals.requests)

    async def vote(self, name: str, *, approves: bool, reason: str, actor: Actor) -> PaymentRecord:
        """See `control_ports.ControlLedger`."""
        said = await self._committer.write(
            lambda: self._approvals.vote(name, approves=approves, reason=reason, actor=actor)
        )
        if isinstance(said, Closed):
            raise CallerError(ReasonCode.APPROVAL_CLOSED, said.message, {"closedBy": str(said.code)})
        return said

    async def approvals_due(self) -> tuple[list[Granted], bool]:
        """See `ports.Ledger`."""
        if not await self._committer.read(self._approvals.any_waits, of_payments=False):
            return [], False
        return await self._committer.read(self._approvals.due)

    async def close_approvals(self) -> int:
        """See `ports.Ledger`."""
        return await self._committer.write(self._approvals.close_over)

    async def decide_approved(self, payment_id: str, facts: Facts) -> Approved | Denied | None:
        """See `ports.Ledger`."""
        return await self._committer.write(lambda: self._approvals.decide(payment_id, facts))

    # -- settings and policies -----------------------------------------------------------------------------------

    async def settings(self) -> Settings | None:
        """See `ports.ControlLedger`."""
        return await self._committer.read(lambda: self._state.control.settings, of_payments=False)

    async def apply_settings(
        self, settings: Settings, *, actor: Actor, events: Sequence[tuple[str, Json]] = ()
    ) -> None:
        """See `ports.ControlLedger`."""
        await self._committer.write(lambda: self._control.apply_settings(settings, actor, events))

    async def remove_payee(self, name: str, *, reason: str, actor: Actor) -> tuple[Settings, Payee]:
        """See `ports.ControlLedger`."""
        return await self._committer.write(lambda: self._control.remove_payee(name, reason, actor))

    async def activate_policy(self, policy_id: str, document: Json, *, actor: Actor) -> str:
        """See `ports.ControlLedger`."""
        return await self._committer.write(lambda: self._control.activate_policy(policy_id, document, actor))

    async def active_policies(self) -> dict[str, tuple[str, str, Json]]:
        """See `ports.ControlLedger`."""
        return await self._committer.read(lambda: dict(self._state.control.documents), of_payments=False)

    async def policy_versions(self, policy_id: str) -> list[PolicyVersion]:
        """See `ports.ControlLedger`."""
        return await self._committer.read(lambda: self._versions.policy_versions(policy_id), of_payments=False)

    async def policy_document(self, policy_id: str, version: int) -> Json:
        """See `ports.ControlLedger`."""
        return await self._committer.read(lambda: self._versions.policy_document(policy_id, version), of_payments=False)

    # -- agents ------------------------------------------------------------------------------------------------

    async def add_agent(self, row: AgentRow, *, secret_hash: str, actor: Actor) -> None:
        """See `ports.ControlLedger`."""
        await self._committer.write(lambda: self._control.add_agent(row, secret_hash, actor))

    async def agents(self) -> list[AgentRow]:
        """See `ports.ControlLedger`."""
        return await self._committer.read(lambda: list(self._state.control.agents.values()), of_payments=False)

    async def agent_keys(self, agent_id: str) -> list[AgentKey]:
        """See `ports.ControlLedger`."""
        return await self._committer.read(lambda: self._agents.keys(agent_id), of_payments=False)

    async def rotate_key(self, agent_id: str, *, key_id: str, secret_hash: str, grace_ms: int, actor: Actor) -> None:
        """See `ports.ControlLedger`."""
        await self._committer.write(lambda: self._control.rotate_key(agent_id, key_id, secret_hash, grace_ms, actor))

    async def revoke_key(self, agent_id: str, *, key_id: str, reason: str, actor: Actor) -> list[str]:
        """See `ports.ControlLedger`."""
        return await self._committer.write(lambda: self._control.revoke_key(agent_id, key_id, reason, actor))

    async def disable_agent(self, agent_id: str, *, reason: str, actor: Actor) -> None:
        """See `ports.ControlLedger`."""
        await self._committer.write(lambda: self._control.disable_agent(agent_id, reason, actor))

    # -- freezes and the trail ---------------------------------------------------------------------------------

    async def freeze(self, kind: str, value: str, *, reason: str, actor: Actor) -> None:
        """See `ports.ControlLedger`."""
        await self._committer.write(lambda: self._control.freeze(kind, value, reason, actor))

    async def unfreeze(self, kind: str, value: str, *, reason: str, actor: Actor) -> bool:
        """See `ports.ControlLedger`."""
        return await self._committer.write(lambda: self._control.unfreeze(kind, value, reason, actor))

    async def freezes(self) -> list[tuple[str, str, str]]:
        """See `ports.ControlLedger`."""
        return await self._committer.read(
            lambda: [(kind, value, reason) for (kind, value), reason in self._state.books.freezes.items()],
            of_payments=False,
        )

    async def record(self, event_type: str, payload: Mapping[str, Json], *, actor: Actor) -> int:
        """See `ports.ControlLedger`."""
        return await self._committer.write(lambda: self._control.record(event_type, payload, actor))
