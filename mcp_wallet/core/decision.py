"""Gate 1's answer: what was decided and everything that it rested on.

A refusal is a value. `Decision` is complete: from it, the policy and the settings by hash, anybody can decide again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from mcp_wallet.core.canonical import Json
from mcp_wallet.core.document import as_text, number_at
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.votes import Vote

REASONS_MAX = 100


class Outcome(StrEnum):
    """The three answers of Gate 1."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    REQUIRE_APPROVAL = "REQUIRE_APPROVAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason; amounts in base units as text, empty where it does not apply.

    Args:
        rule: Id of the rule or limit.
        pointer: JSON pointer into the resolved policy.
    """

    code: ReasonCode
    rule: str = ""
    pointer: str = ""
    observed: str = ""
    limit: str = ""
    remaining: str = ""

    def document(self) -> dict[str, Json]:
        """Return the non-empty fields, as they stand on the trail."""
        document: dict[str, Json] = {"code": str(self.code)}
        if self.rule:
            document["rule"] = self.rule
        if self.pointer:
            document["pointer"] = self.pointer
        if self.observed:
            document["observed"] = self.observed
        if self.limit:
            document["limit"] = self.limit
        if self.remaining:
            document["remaining"] = self.remaining
        return document


class WindowUse(NamedTuple):
    """What one matching limit already counts, before this payment. Units of the asset, or a count.

    A named tuple: see `PaymentIntent`.

    Args:
        group: The group's values joined by `|`, in the limit's order; empty when it groups by nothing.
        distinct: Recipients already counted.
        knows_recipient: Whether this payment's recipient is one of them.
    """

    limit_id: str
    group: str
    spent_units: int
    held_units: int
    count: int  # type: ignore[assignment]  # hides the method of tuples, which nobody needs here
    distinct: int = 0
    knows_recipient: bool = False


class Anomaly(NamedTuple):
    """What one test found unusual about a payment; the meaning of the two numbers is the test's."""

    code: ReasonCode
    observed: int
    limit: int

    def document(self) -> dict[str, Json]:
        """Return it as it stands on the trail."""
        return {"code": str(self.code), "observed": str(self.observed), "limit": str(self.limit)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The closed set of outside facts a decision may rest on, each measured before the ledger transaction.

    A fact that was not measured is None and then decides nothing; a fact that says no refuses.

    Args:
        source: Who said so, such as `node:local`.
        block_time_ms: Time of the newest block, Unix milliseconds.
        account_nonce: Transactions of the wallet's account that are mined.
        asset_balance_units: Of the asset to be paid.
        native_balance_wei: For fees (and the amount when the asset is native).
        simulation_revert: Decoded revert reason of `eth_call`; empty text when it passed.
        recipient_code: `none`, `contract` or `delegated` (EIP-7702).
    """

    source: str = ""
    block_time_ms: int | None = None
    account_nonce: int | None = None
    asset_balance_units: int | None = None
    native_balance_wei: int | None = None
    gas_limit: int | None = None
    max_fee_wei: int | None = None
    priority_fee_wei: int | None = None
    simulation_revert: str | None = None
    recipient_code: str = ""

    def document(self) -> dict[str, Json]:
        """Return the measured facts as text, for the trail."""
        if not self.source:
            return {}
        fields: dict[str, str | int | None] = {
            "source": self.source,
            "blockTimeMs": self.block_time_ms,
            "accountNonce": self.account_nonce,
            "assetBalance": self.asset_balance_units,
            "nativeBalanceWei": self.native_balance_wei,
            "gasLimit": self.gas_limit,
            "maxFeeWei": self.max_fee_wei,
            "priorityFeeWei": self.priority_fee_wei,
            "simulationRevert": self.simulation_revert,
            "recipientCode": self.recipient_code,
        }
        return {k: str(v) for k, v in fields.items() if v not in (None, "")}


NO_FACTS = Facts()


def facts_of(document: Mapping[str, Json]) -> Facts:
    """Return the facts that a document of `Facts.document` holds.

    Empty texts are not in a document: a simulation that passed comes back as one that was not measured. Neither decides
    anything, and both have the same document.

    Raises:
        TypeError: For a value that is not text.
        ValueError: For a number that is not one.
    """
    return Facts(
        source=as_text(document.get("source", "")),
        block_time_ms=number_at(document, "blockTimeMs"),
        account_nonce=number_at(document, "accountNonce"),
        asset_balance_units=number_at(document, "assetBalance"),
        native_balance_wei=number_at(document, "nativeBalanceWei"),
        gas_limit=number_at(document, "gasLimit"),
        max_fee_wei=number_at(document, "maxFeeWei"),
        priority_fee_wei=number_at(document, "priorityFeeWei"),
        simulation_revert=as_text(document["simulationRevert"]) if "simulationRevert" in document else None,
        recipient_code=as_text(document.get("recipientCode", "")),
    )


class Counters(NamedTuple):
    """What the ledger knows at the moment of the decision, under its lock. A named tuple: see `PaymentIntent`.

    Args:
        uses: One per limit of the policy that matches this payment, in the policy's order.
        frozen_by: What froze this payment: `all`, `agent`, `asset`, `chain`, `recipient`; empty when nothing did.
        last_payment_ms: When this agent last had a payment to this recipient admitted (for `cooldown`).
        last_event_ms: The ledger's newest time, for the clock's check.
        wall_ms: What the wall clock said.
        known_since_ms: When the recipient was listed (for `newRecipientHold`).
        imitates: Name of the payee that the recipient imitates.
        ledger_nonce: The next account nonce by the ledger, None before the first payment on the chain.
        pending: This agent's payments that wait for approval.
        halted: A code that stops all spending (`ROLLBACK_DETECTED`), else empty.
        duplicate: A code of a guard against paying twice (`DUPLICATE_REFERENCE`), else empty.
        fees_today_wei: Fees of the chain in the last 24 h, those in flight at their most.
        votes: What people said so far about this payment.
        requested_by: The agent's owner, whom rules may exclude from voting; empty when nobody is excluded.
        anomalies: What the tests that the policy asks for found.
    """

    uses: tuple[WindowUse, ...] = ()
    frozen_by: tuple[str, ...] = ()
    last_payment_ms: int | None = None
    last_event_ms: int = 0
    wall_ms: int = 0
    known_since_ms: int | None = None
    imitates: str = ""
    ledger_nonce: int | None = None
    pending: int = 0
    halted: str = ""
    duplicate: str = ""
    fees_today_wei: int = 0
    votes: tuple[Vote, ...] = ()
    requested_by: str = ""
    anomalies: tuple[Anomaly, ...] = ()


class Decision(NamedTuple):
    """Gate 1's complete answer; `remaining` is after this payment when it was admitted, per limit id."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    counters: Counters
    facts: Facts
    policy_id: str
    policy_version: str
    policy_hash: str
    settings_hash: str
    now_ms: int
    limits: Mapping[str, int]
    remaining: Mapping[str, int]

    @property
    def codes(self) -> tuple[ReasonCode, ...]:
        """The codes, in order, each once."""
        return tuple(dict.fromkeys(r.code for r in self.reasons))
