"""What the story needs from outside, as contracts about durability.

Every method says what is durable when it returns. `OutsideError` means that the outcome of a write is unknown to the
caller unless the method says otherwise; asking again by payment id settles it. Nothing here is generic: these are the
wallet's own verbs, each one ledger transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from mcp_wallet.core.approval import Approval
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Decision, Facts, Outcome, Reason
from mcp_wallet.core.evidence import Testimony
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.intent import Agent, PaymentDraft, PaymentIntent
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.outflow import Sighting
from mcp_wallet.core.registry import Asset
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settlement_gate import Receipt
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, Signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The trail at one moment: number of events and RFC 6962 root."""

    size: int
    root: bytes


class PaymentRecord(NamedTuple):
    """One payment as the ledger has it. Amounts in base units; fees in wei; times in Unix milliseconds.

    `reasons` are the decision's; `ended_by` is the code of what ended an allowed payment without paying it
    (`FINGERPRINT_MISMATCH`, `FROZEN`, `TRANSACTION_REVERTED`, …).
    """

    payment_id: str
    state: State
    outcome: Outcome
    reasons: tuple[Reason, ...]
    intent: PaymentIntent
    fingerprint: str
    payee: str
    memo: str
    idempotency_key: str
    policy_hash: str
    settings_hash: str
    decided_at_ms: int
    decision_sequence: int
    approval: Approval | None = None
    nonce: int | None = None
    unsigned: bytes = b""
    signed: bytes = b""
    transaction_hash: str = ""
    block_number: int | None = None
    remaining_units: int | None = None
    ended_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A guard was hit with equal content: the recorded payment answers; nothing was written."""

    record: PaymentRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Gate 1 said no (or needs people): decision, event and tree nodes are durable; nothing is reserved when denied."""

    record: PaymentRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Gate 1 said yes: reservation, approval and event are durable."""

    record: PaymentRecord
    approval: Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A payment that enough people approved and that has not run yet; `fee_cap_wei` is for one transaction."""

    payment_id: str
    draft: PaymentDraft
    fee_cap_wei: int


class Builder(Protocol):
    """Makes the unsigned bytes of an approved intent; Gate 2 trusts nothing that it returns."""

    def __call__(self, intent: PaymentIntent, asset: Asset, approval: Approval, nonce: int) -> bytes:
        """Return EIP-1559 bytes to be signed."""


class Rebuilder(Protocol):
    """Makes the unsigned bytes that take earlier ones' place; Gate 2 trusts nothing that it returns."""

    def __call__(self, original: bytes) -> bytes:
        """Return the same EIP-1559 bytes with higher fees."""


class Attempt(NamedTuple):
    """One signed transaction of a payment that was replaced."""

    transaction_hash: str
    signed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something, for the trail."""

    kind: str  # operator | system | agent
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """An agent with its binding and newest credential, without the secret; `owner` is whoever asked for it."""

    agent_id: str
    policy_id: str
    policy_hash: str
    category: str
    key_id: str
    created_at_ms: int
    expires_at_ms: int | None
    disabled: bool
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentKey:
    """One key of an agent, without the secret."""

    key_id: str
    issued_at_ms: int
    expires_at_ms: int | None
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """One numbered version of a policy, and when it came into force (several times after rollbacks)."""

    policy_id: str
    version: int
    hash: str
    active: bool
    activated_at_ms: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """One budget of an agent, in base units of `asset`; `window` in words, `window_seconds` of a rolling one."""

    limit_id: str
    asset: AssetId
    chains: tuple[ChainId, ...]
    window: str
    window_seconds: int | None
    limit_units: int | None
    limit_count: int | None
    spent_units: int
    held_units: int
    count: int


class Ledger(Protocol):
    """The one authority on what was decided, reserved, signed and settled."""

    @property
    def halted(self) -> bool:
        """Whether this ledger was found to be behind an anchor: then nothing is decided, signed, sent or expired."""

    async def authenticate(self, api_key: str) -> tuple[Agent, CompiledPolicy, Settings]:
        """Return who holds the key, its policy and the active settings, as of the newest commit of any process.

        Raises:
            CallerError: `CREDENTIAL_INVALID | CREDENTIAL_EXPIRED | CREDENTIAL_REVOKED | RATE_LIMITED`.
            OwnerError: `POLICY_MISSING` when the agent is bound to none.
        """

    async def preview(self, draft: PaymentDraft) -> Denied | Replayed | None:
        """Refuse (durably) or replay what needs no chain facts; None when the chain must be asked."""

    async def decide_and_reserve(self, draft: PaymentDraft, facts: Facts) -> Approved | Denied | Replayed:
        """Gate 1: guards, freezes, counters, `decide`, reservation and event in one transaction, durable on return."""

    async def simulate(self, draft: PaymentDraft) -> Decision:
        """Return the decision that `decide_and_reserve` would take now without facts; records a `simulation` event."""

    async def claim(self, payment_id: str, build: Builder) -> Sealed | GateRefusal | None:
        """Consume the approval: nonce, bytes, Gate 2; durable as `signing` with the unsigned bytes, or released.

        Returns None when another process has claimed it, or it is no longer reserved: then only watch.
        """

    async def sealed(self, payment_id: str) -> Sealed | None:
        """Return the sealed bytes again of a payment that is `signing` (recovery signs the same bytes).

        Returns None while a freeze covers it: a stop also stops what recovery would hand to the signer.
        """

    async def store_signed(self, signed: Signed) -> None:
        """Make signed bytes, hash and nonce durable. Only after this may bytes leave. Idempotent for equal bytes."""

    async def reject_signed(self, payment_id: str, refusal: GateRefusal) -> None:
        """Record that the signer returned other bytes than were sealed; the payment stays `signing`, agent frozen."""

    async def mark_broadcast(self, payment_id: str) -> None:
        """Record that a node took the bytes. Idempotent."""

    async def mark_unknown(self, payment_id: str) -> None:
        """Record that nothing is known of the bytes since 60 s. Idempotent."""

    async def confirm(self, payment_id: str, receipt: Receipt) -> None:
        """Record the final receipt: held becomes spent, fee counted. Idempotent."""

    async def fail(self, payment_id: str, reason: Reason, receipt: Receipt | None) -> None:
        """Record a proven failure: budget and guards are given back, the fee of a revert stays spent. Idempotent."""

    async def settlement_mismatch(self, payment_id: str, receipt: Receipt, observed: str) -> None:
        """Record Gate 3's mismatch and freeze the chain."""

    async def approvals_due(self) -> tuple[list[Granted], bool]:
        """Return the payments that enough people approved, and whether any request is over without a word."""

    async def close_approvals(self) -> int:
        """Give back what approval requests hold that are over (expired, stopped, overtaken); return how many."""

    async def decide_approved(self, payment_id: str, facts: Facts) -> Approved | Denied | None:
        """Decide an approved payment again, with the votes and these facts, in one transaction, durable on return.

        Denied means that it was released. None when there was nothing to decide: it is over, or not approved enough.
        """

    async def attempts(self, payment_id: str) -> tuple[Attempt, ...]:
        """Return all signed transactions of a payment that was replaced, the first one first; else nothing."""

    async def claim_replacement(self, payment_id: str, rebuild: Rebuilder) -> Sealed | None:
        """Seal the payment's next transaction, the same bytes but for higher fees; durable before it is signed.

        Returns None when none may be signed now: frozen, no fee left within the caps, or the payment has ended.
        """

    async def store_replacement(self, signed: Signed, sealed: Sealed) -> None:
        """Make its signed bytes durable. Only after this may they leave. Idempotent."""

    async def reorg(self, payment_id: str) -> None:
        """Record that the block of a confirmed payment is gone: spent is held again. Idempotent."""

    async def resolve(self, payment_id: str, *, paid: bool, reason: str, actor: Actor) -> bool:
        """Record what a person found out of an unknown payment; False when it is not unknown."""

    async def outflow(self, chain: ChainId, observed: str) -> None:
        """Record money or a nonce that left without us (`outflow_unknown`) and freeze the chain."""

    async def watched_block(self, chain: ChainId) -> int | None:
        """Return the block up to which the account was looked at, None before the first look."""

    async def account_for(self, chain: ChainId, seen: Sighting) -> None:
        """Compare a look with the ledger and remember it; what is not explained is recorded as by `outflow`."""

    async def confirmed_since(self, since_ms: int) -> list[PaymentRecord]:
        """Return the payments that were confirmed after this time, oldest first, at most 1,000."""

    async def expire_overdue(self) -> int:
        """Expire approvals and approval requests whose time is over; return how many."""

    async def payment(
        self, *, agent_id: str, payment_id: str = "", reference: str = "", idempotency_key: str = ""
    ) -> PaymentRecord | None:
        """Return the agent's payment by the one key that is given, newest first; None when it has no such payment."""

    async def payments(
        self, *, agent_id: str = "", limit: int = 20, states: Sequence[State] = ()
    ) -> list[PaymentRecord]:
        """Return payments, newest first; of every agent when `agent_id` is empty."""

    async def budget(self, agent: Agent, policy: CompiledPolicy) -> tuple[list[BudgetLine], tuple[str, ...]]:
        """Return the agent's budgets (a limit times its assets) now, and what freezes it (empty when nothing)."""

    async def in_flight(self) -> list[PaymentRecord]:
        """Return every payment that is reserved, signing, signed, broadcast or unknown, in nonce order."""

    async def head(self) -> Head:
        """Return the trail's newest size and root, whoever wrote them."""

    async def settled_head(self) -> Head:
        """Return size and root of the newest transaction that this process finished or read."""

    async def close(self) -> None:
        """Finish what was accepted and release the database."""


class Sent(StrEnum):
    """What a node said to raw bytes. Only `ACCEPTED` and `KNOWN` are statements; the rest prove nothing."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    NONCE_TOO_LOW = "nonce_too_low"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class ChainPort(Protocol):
    """One EVM chain through its configured nodes. Never retries a send by itself, never trusts a returned hash."""

    async def facts(self, draft: PaymentDraft, *, fee_cap_wei: int) -> Facts:
        """Return chain time, balances, nonce, fee quote and simulation of the exact transfer.

        Raises:
            OutsideError: `NODE_UNAVAILABLE`; `CHAIN_MISMATCH` when the node is on another chain.
        """

    async def send(self, raw: bytes) -> Sent:
        """Hand signed bytes to a node once; never raises for what the node or the network does."""

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Return the receipt of the first node that has one, None when a node answered and none has one.

        Raises:
            OutsideError: `NODE_UNAVAILABLE` when no node answered.
        """

    async def testimonies(self, *, sender: Address, hashes: Sequence[str]) -> tuple[Testimony, ...]:
        """Return what each node that answers says of the account's final blocks; silence is no error.

        Args:
            hashes: Of every transaction that we signed with the nonce in question.
        """

    async def sight(self, account: Address, *, after: int | None) -> Sighting | None:
        """Return the account in the newest final block, with what left it after the block of the last look.

        None when there is no final block that was not looked at.

        Raises:
            OutsideError: `NODE_UNAVAILABLE`, `CHAIN_MISMATCH`.
        """

    async def is_final(self, receipt: Receipt, *, confirmations: int) -> bool:
        """Return whether the receipt's block has the confirmations (0: is `finalized`)."""

    async def confirmations(self, receipt: Receipt) -> int:
        """Return how many blocks stand on the receipt's block, itself included."""

    async def close(self) -> None:
        """Close connections."""


class Signer(Protocol):
    """Holds the key. Takes nothing but Gate 2's result."""

    @property
    def address(self) -> Address:
        """The account that it signs for, known without unlocking."""

    async def sign(self, sealed: Sealed) -> bytes:
        """Return the signed bytes; deterministic (RFC 6979), so that signing again gives the same bytes.

        Raises:
            OutsideError: `SIGNER_UNAVAILABLE`.
        """


class Anchor(Protocol):
    """A place outside the home that keeps checkpoints and only ever grows."""

    name: str

    async def publish(self, note: str) -> None:
        """Make a signed checkpoint durable there."""

    async def newest(self) -> str:
        """Return the newest checkpoint that it has, or empty text."""


Clock = Callable[[], int]
"""Wall clock: Unix time in milliseconds."""


@dataclass(frozen=True, slots=True)
class Chains:
    """The chains of a home, by CAIP-2 id."""

    by_id: Mapping[ChainId, ChainPort] = field(default_factory=dict)
