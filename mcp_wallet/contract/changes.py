"""Proposals: what somebody wants to change on the control plane, and how far it has come."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mcp_wallet.contract.events import rfc3339
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.diff import Classification
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.votes import Vote

REASON_CHARACTERS_MAX: Final = 500
_PREFIX: Final = "chg_"


class ChangeKind(StrEnum):
    """What is to be changed."""

    POLICY = "policy"
    SETTINGS = "settings"
    PAYEE = "payee"
    AGENT = "agent"
    BINDING = "binding"
    OPERATOR = "operator"
    ROLES = "roles"
    RELEASE = "release"

    @property
    def proposed_with(self) -> Verb:
        """What somebody must be allowed in order to propose it."""
        if self in (ChangeKind.OPERATOR, ChangeKind.ROLES):
            return Verb.GOVERN
        return Verb.APPROVE if self is ChangeKind.RELEASE else Verb.PROPOSE

    @property
    def waits_for_its_moment(self) -> bool:
        """Whether an approved change is put in force by a further command; the others are with their approval."""
        return self in (ChangeKind.POLICY, ChangeKind.SETTINGS)


class ChangeState(StrEnum):
    """How far a proposal has come."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChange:
    """A proposal as it is made.

    Args:
        subject: What is changed: a policy's, agent's or operator's name; `settings`; a payee's name.
        body: What the ledger will put in force.
        classification: How it stands towards what is in force.
        detail: What the trail says of it; no secret, not even hashed.
        hash: Names the content: `policyHash` of a policy.
        base_hash: Hash of what it was compared with; when that is no longer in force, the proposal is void.
        version: Of a policy that exists already and is to be in force again; 0 for a new one.
        checks: What was checked before it was proposed, and how it came out.
        reason: Why, in the proposer's words.
    """

    kind: ChangeKind
    subject: str
    body: Json
    classification: Classification
    detail: dict[str, Json] = field(default_factory=dict)
    hash: str = ""
    base_hash: str = ""
    version: int = 0
    checks: dict[str, Json] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A proposal as the ledger has it.

    Args:
        sequence: Of the event that proposed it; `chg_<sequence>` is its name.
        version: Of the policy or the settings; 0 for other kinds.
        votes: What people said, in the order of their saying.
    """

    sequence: int
    kind: ChangeKind
    subject: str
    version: int
    hash: str
    base_hash: str
    classification: Classification
    state: ChangeState
    proposed_by: str
    proposed_at_ms: int
    reason: str
    body: Json
    checks: Json
    votes: tuple[Vote, ...]

    @property
    def change_id(self) -> str:
        """Its name."""
        return f"{_PREFIX}{self.sequence}"

    @property
    def approved_by(self) -> list[str]:
        """Return who approved it."""
        return [vote.by for vote in self.votes if vote.approves]

    @property
    def is_open(self) -> bool:
        """Whether it may still be approved, rejected or put in force."""
        return self.state in (ChangeState.PROPOSED, ChangeState.APPROVED)


def change_document(change: Change) -> dict[str, Json]:
    """Return a proposal for people and programs, without what its body holds."""
    return {
        "changeId": change.change_id,
        "kind": str(change.kind),
        "subject": change.subject,
        "version": str(change.version or ""),
        "hash": change.hash,
        "baseHash": change.base_hash,
        "classification": str(change.classification),
        "state": str(change.state),
        "proposedBy": change.proposed_by,
        "proposedAt": rfc3339(change.proposed_at_ms),
        "reason": change.reason,
        "approvedBy": list(change.approved_by),
        "checks": change.checks,
    }


def parse_change_id(text: str) -> int | None:
    """Return the sequence of `chg_<sequence>`, None for any other text."""
    digits = text.removeprefix(_PREFIX)
    is_one = text.startswith(_PREFIX) and digits.isascii() and digits.isdigit() and len(digits) <= 18  # noqa: PLR2004
    return int(digits) if is_one else None
