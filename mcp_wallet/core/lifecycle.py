"""A payment's life, in one table.

Everything that may happen to a payment stands here and nowhere else. An event that the table does not name for a state
changes nothing and is refused. Only a payment that no signer has seen can expire or be released.
"""

from enum import StrEnum

from mcp_wallet.core.errors import InvariantBroken


class State(StrEnum):
    """The ledger's states (SPEC section 7)."""

    DENIED = "denied"
    PENDING_APPROVAL = "pending_approval"
    RESERVED = "reserved"
    SIGNING = "signing"
    SIGNED = "signed"
    BROADCAST = "broadcast"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    RELEASED = "released"
    EXPIRED = "expired"
    REJECTED = "rejected"


class Step(StrEnum):
    """What can happen to a payment after its decision."""

    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    RELEASE = "release"
    CLAIM = "claim"
    STORE_SIGNED = "store_signed"
    SEND = "send"
    LOSE_SIGHT = "lose_sight"
    REORG = "reorg"
    CONFIRM = "confirm"
    FAIL = "fail"


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.PENDING_APPROVAL, Step.APPROVE): State.RESERVED,
    (State.PENDING_APPROVAL, Step.REJECT): State.REJECTED,
    (State.PENDING_APPROVAL, Step.EXPIRE): State.EXPIRED,
    (State.PENDING_APPROVAL, Step.RELEASE): State.RELEASED,
    (State.RESERVED, Step.EXPIRE): State.EXPIRED,
    (State.RESERVED, Step.RELEASE): State.RELEASED,
    (State.RESERVED, Step.CLAIM): State.SIGNING,
    (State.SIGNING, Step.STORE_SIGNED): State.SIGNED,
    (State.SIGNED, Step.SEND): State.BROADCAST,
    (State.SIGNED, Step.LOSE_SIGHT): State.UNKNOWN,
    (State.BROADCAST, Step.LOSE_SIGHT): State.UNKNOWN,
    (State.UNKNOWN, Step.SEND): State.BROADCAST,
    (State.SIGNED, Step.CONFIRM): State.CONFIRMED,
    (State.BROADCAST, Step.CONFIRM): State.CONFIRMED,
    (State.UNKNOWN, Step.CONFIRM): State.CONFIRMED,
    (State.SIGNED, Step.FAIL): State.FAILED,
    (State.BROADCAST, Step.FAIL): State.FAILED,
    (State.UNKNOWN, Step.FAIL): State.FAILED,
    (State.CONFIRMED, Step.REORG): State.BROADCAST,
}

HELD = frozenset({State.PENDING_APPROVAL, State.RESERVED, State.SIGNING, State.SIGNED, State.BROADCAST, State.UNKNOWN})
"""States whose amount is held in every matching window."""
GUARDED = HELD | {State.CONFIRMED}
"""States that keep reference, key and content from being paid again."""
IN_FLIGHT = frozenset({State.SIGNING, State.SIGNED, State.BROADCAST, State.UNKNOWN})
"""States in which a signature exists or may exist: the settlement loop follows these."""

TOOL_STATUS: dict[State, str] = {
    State.DENIED: "denied",
    State.PENDING_APPROVAL: "pending_approval",
    State.RESERVED: "submitted",
    State.SIGNING: "submitted",
    State.SIGNED: "submitted",
    State.BROADCAST: "submitted",
    State.UNKNOWN: "unknown",
    State.CONFIRMED: "confirmed",
    State.FAILED: "failed",
    State.RELEASED: "failed",
    State.EXPIRED: "failed",
    State.REJECTED: "failed",
}
"""What a tool's `status` says for each state."""


def step(state: State, what: Step) -> State:
    """Return the next state; `InvariantBroken` when the table has none."""
    following = TRANSITIONS.get((state, what))
    if following is None:
        message = f"a payment that is {state} cannot {what}"
        raise InvariantBroken(message)
    return following


def can(state: State, what: Step) -> bool:
    """Return whether the table has this step."""
    return (state, what) in TRANSITIONS
