"""What operators need of a ledger, as contracts about durability: see `ports`.

Everything that loosens goes by proposal: one person proposes, another approves. The direct verbs that loosen are for
homes that are being made and for solo homes; elsewhere they raise `CallerError(SECOND_PERSON_REQUIRED)`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcp_wallet.contract.changes import Change, ChangeKind, NewChange
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.explain import Explanation
from mcp_wallet.core.four_eyes import Person
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.votes import ApprovalTerms, Vote
from mcp_wallet.ports import Actor, AgentKey, AgentRow, PaymentRecord, PolicyVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequest:
    """A payment that waits.

    Args:
        counters: What the decision knew of the past, as it stands on the trail.
        remaining: What each limit leaves after this payment, in base units or counts.
        earlier_payments: Confirmed payments of this home to the same address, by any agent.
        rules: The rules that ask, and what they ask for.
        votes: Approvals so far.
        missing: Ids of the rules that are not satisfied yet; none when it is about to run.
        requested_by: The agent's owner.
        expires_at_ms: When it is too late.
        closing: The code that closes it at the next look, empty while it is open.
    """

    record: PaymentRecord
    counters: Mapping[str, Json]
    remaining: Mapping[str, Json]
    earlier_payments: int
    rules: tuple[tuple[str, ApprovalTerms], ...]
    votes: tuple[Vote, ...]
    missing: tuple[str, ...]
    requested_by: str
    expires_at_ms: int
    closing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A request that was found to be over when somebody spoke."""

    record: PaymentRecord
    code: ReasonCode
    message: str


class ControlLedger(Protocol):
    """The operator plane's verbs: each one ledger transaction with its event, durable on return."""

    async def settings(self) -> Settings | None:
        """Return the active settings; None in a home that was never initialised."""

    async def apply_settings(
        self, settings: Settings, *, actor: Actor, events: Sequence[tuple[str, Json]] = ()
    ) -> None:
        """Make this the active version (`config_applied`), with further events such as `payee_added` beside it."""

    async def add_operator(self, person: Person, *, token_hash: str, actor: Actor) -> None:
        """Create an operator (`operator_created`); only while a home is made, or in a solo home."""

    async def operator(self, token: str, verb: Verb = Verb.SEE) -> Actor:
        """Return who holds the operator token and may do this.

        Raises:
            CallerError: `CREDENTIAL_INVALID` (recorded as failed login) | `CREDENTIAL_REVOKED` | `PERMISSION_DENIED`.
        """

    async def explain(self, draft: PaymentDraft, policy: CompiledPolicy | None = None) -> Explanation:
        """Return how the payment would be decided now, by this policy or the one in force; nothing is written."""

    async def operators(self) -> list[Person]:
        """Return everybody, disabled ones too."""

    async def disable_operator(self, name: str, *, reason: str, actor: Actor) -> None:
        """Take an operator's token away at once (`operator_disabled`)."""

    async def propose(self, change: NewChange, *, actor: Actor) -> Change:
        """Record a proposal; put it in force at once where one person may and nothing else is to be waited for.

        Raises:
            CallerError: `PERMISSION_DENIED`; `POLICY_CHANGED` when it was compared with what is no longer in force.
        """

    async def approve_change(self, sequence: int, *, reason: str, actor: Actor) -> Change:
        """Record the second person's yes; `CallerError(SECOND_PERSON_REQUIRED | APPROVAL_CLOSED)`."""

    async def reject_change(self, sequence: int, *, reason: str, actor: Actor) -> Change:
        """End a proposal; `CallerError(APPROVAL_CLOSED)`."""

    async def put_in_force(self, sequence: int, *, actor: Actor) -> Change:
        """Put a proposal in force: every decision of any process that begins after the return goes by it.

        Raises:
            CallerError: `SECOND_PERSON_REQUIRED | APPROVAL_CLOSED | POLICY_CHANGED | PERMISSION_DENIED`.
        """

    async def changes(
        self, *, kind: ChangeKind | None = None, subject: str = "", open_only: bool = False
    ) -> list[Change]:
        """Return proposals, newest first."""

    async def approval_requests(self) -> list[ApprovalRequest]:
        """Return the payments that wait for people, oldest first."""

    async def vote(self, name: str, *, approves: bool, reason: str, actor: Actor) -> PaymentRecord:
        """Record what a person says about a payment (`approval_granted | approval_rejected`); return it as it stands.

        After the quorum a server of the home runs it. One rejection ends it.

        Raises:
            CallerError: `APPROVAL_CLOSED` when it was rejected, expired, stopped, overtaken or run before, by the
                ledger's order; `PERMISSION_DENIED`; `SECOND_PERSON_REQUIRED`; `PAYMENT_UNKNOWN`; `INTENT_INVALID`.
        """

    async def remove_payee(self, name: str, *, reason: str, actor: Actor) -> tuple[Settings, Payee]:
        """Remove a payee (`config_applied`, `payee_removed`); return the settings then in force, and who it was."""

    async def policy_versions(self, policy_id: str) -> list[PolicyVersion]:
        """Return every version of a policy, oldest first; `CallerError(POLICY_MISSING)`."""

    async def policy_document(self, policy_id: str, version: int) -> Json:
        """Return a stored version, its long lists at hand; `CallerError(POLICY_MISSING)`."""

    async def agent_keys(self, agent_id: str) -> list[AgentKey]:
        """Return an agent's keys, oldest first."""

    async def rotate_key(self, agent_id: str, *, key_id: str, secret_hash: str, grace_ms: int, actor: Actor) -> None:
        """Issue a further key (`credential_rotated`); those before it run out after the grace."""

    async def revoke_key(self, agent_id: str, *, key_id: str, reason: str, actor: Actor) -> list[str]:
        """Take one key (all when empty) away at once (`credential_revoked`); return which."""

    async def disable_agent(self, agent_id: str, *, reason: str, actor: Actor) -> None:
        """Disable an agent at once (`agent_disabled`)."""

    async def activate_policy(self, policy_id: str, document: Json, *, actor: Actor) -> str:
        """Store the next version of a resolved policy and activate it; return its hash. Same hash: nothing happens."""

    async def active_policies(self) -> dict[str, tuple[str, str, Json]]:
        """Return policy id -> (version, hash, resolved document) of the active versions."""

    async def add_agent(self, row: AgentRow, *, secret_hash: str, actor: Actor) -> None:
        """Create an agent, bind it and issue its credential; `OwnerError(POLICY_INVALID)` when the name is taken."""

    async def agents(self) -> list[AgentRow]:
        """Return all agents."""

    async def freeze(self, kind: str, value: str, *, reason: str, actor: Actor) -> None:
        """Engage the kill switch: kind is `all agent asset chain recipient`. No decision or claim after the commit."""

    async def unfreeze(self, kind: str, value: str, *, reason: str, actor: Actor) -> bool:
        """Release it; False when nothing was frozen so."""

    async def freezes(self) -> list[tuple[str, str, str]]:
        """Return what is frozen: kind, value, reason."""

    async def record(self, event_type: str, payload: Mapping[str, Json], *, actor: Actor) -> int:
        """Append an event that changes no table (`audit_accessed`, `service_started`, …); return its sequence."""
