"""A reason as a sentence for people: which rule or limit, what was seen, what is allowed, in units that people read."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.decision import Reason
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Asset

_AMOUNTS: Final[Mapping[ReasonCode, str]] = {
    ReasonCode.PER_TX_LIMIT_EXCEEDED: "rule `{rule}` allows at most {limit} in one payment, this is {observed}",
    ReasonCode.BELOW_MINIMUM: "rule `{rule}` allows no payment below {limit}, this is {observed}",
    ReasonCode.WINDOW_LIMIT_EXCEEDED: "limit `{rule}` is {limit}: with this payment it would be {observed}, "
    "{remaining} is left",
    ReasonCode.APPROVAL_REQUIRED: "{who} asks people to approve {observed}",
    ReasonCode.INSUFFICIENT_FUNDS: "the wallet has {observed} of the {limit} that it needs",
}
_COUNTS: Final[Mapping[ReasonCode, str]] = {
    ReasonCode.OK: "rule `{rule}` admits it",
    ReasonCode.FROZEN: "an operator's stop covers it ({observed})",
    ReasonCode.NO_MATCHING_RULE: "no allow rule admits it",
    ReasonCode.RULE_DENIED: "rule `{rule}` denies it",
    ReasonCode.RECIPIENT_DENIED: "rule `{rule}` denies this recipient",
    ReasonCode.ASSET_NOT_ALLOWED: "no rule that fits otherwise allows this asset",
    ReasonCode.CHAIN_NOT_ALLOWED: "no rule that fits otherwise allows this chain",
    ReasonCode.RECIPIENT_NOT_ALLOWED: "no rule that fits otherwise names this recipient",
    ReasonCode.OPERATION_NOT_ALLOWED: "no rule that fits otherwise allows this operation",
    ReasonCode.CATEGORY_NOT_ALLOWED: "no rule that fits otherwise allows this category",
    ReasonCode.OUTSIDE_HOURS: "it is outside the hours of the rules that would fit",
    ReasonCode.RECIPIENT_LOOKALIKE: "the address is made to look like the payee `{limit}`",
    ReasonCode.COUNT_LIMIT_EXCEEDED: "limit `{rule}` is {limit} payments, this would be number {observed}",
    ReasonCode.DISTINCT_LIMIT_EXCEEDED: "limit `{rule}` is {limit} recipients, this would be number {observed}",
    ReasonCode.TOO_MANY_PENDING: "{observed} payments wait for people already, at most {limit} may",
    ReasonCode.APPROVAL_REJECTED: "`{observed}` rejected it",
    ReasonCode.DUPLICATE_REFERENCE: "this reference was used for another payment",
    ReasonCode.DUPLICATE_SUSPECTED: "the same payment was made a moment ago",
    ReasonCode.IDEMPOTENCY_MISMATCH: "this idempotency key was used for another payment",
    ReasonCode.ANOMALY_AMOUNT: "the amount is far above what the agent usually pays",
    ReasonCode.ANOMALY_NEW_RECIPIENT: "the agent did not pay this recipient in the last 30 days",
    ReasonCode.ANOMALY_VELOCITY: "{observed} payments within the hour, {limit} are usual at most",
    ReasonCode.ANOMALY_PROBING: "the agent tried different amounts at a bound within the hour",
    ReasonCode.CLOCK_UNTRUSTED: "the machine's clock is not to be believed",
    ReasonCode.ROLLBACK_DETECTED: "the ledger is behind what was known of it",
    ReasonCode.ENGINE_ERROR: "it could not be evaluated",
    ReasonCode.FEE_CAP_EXCEEDED: "the fee of {observed} wei is above the {limit} wei that the settings allow",
    ReasonCode.SIMULATION_REVERTED: "the chain would refuse it: {observed}",
}
_DURATIONS: Final[Mapping[ReasonCode, str]] = {
    ReasonCode.COOLDOWN: "the last payment to this recipient was {observed} ago, {limit} must pass",
    ReasonCode.NEW_RECIPIENT_HOLD: "the recipient is known for {observed}, {limit} must pass",
}
_MOMENTS: Final[Mapping[ReasonCode, str]] = {
    ReasonCode.NOT_YET_ACTIVE: "the policy begins at {limit}",
    ReasonCode.EXPIRED: "the policy ended at {limit}",
}


def reason_words(reason: Reason, asset: Asset) -> str:
    """Return the reason as a clause without a full stop, amounts in whole units of the asset."""
    for sentences, shown in (
        (_AMOUNTS, lambda text: amount_words(text, asset)),
        (_COUNTS, str),
        (_DURATIONS, duration_words),
        (_MOMENTS, moment_words),
    ):
        if reason.code in sentences:
            return _filled(sentences[reason.code], reason, shown)
    return str(reason.code)


def amount_words(units: str, asset: Asset) -> str:
    """Return `50.00 USDC` for base units as text."""
    return f"{format_amount(int(units), asset.decimals)} {asset.unit}"


def duration_words(milliseconds: str) -> str:
    """Return `1 d 2 h 3 min 4 s`, without the parts that are zero; less than a second is `0 s`."""
    minutes, seconds = divmod(int(milliseconds) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def moment_words(at_ms: int | str) -> str:
    """Return `2026-03-10T12:00:00Z` for Unix milliseconds, rounded up to a second."""
    seconds = -(-int(at_ms) // 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _filled(sentence: str, reason: Reason, shown: Callable[[str], str]) -> str:
    numbers = {
        name: shown(text) if text else "?"
        for name, text in (("observed", reason.observed), ("limit", reason.limit), ("remaining", reason.remaining))
    }
    who = f"rule `{reason.rule}`" if reason.rule else f"`{reason.pointer.strip('/').replace('/', '.')}`"
    return sentence.format(rule=reason.rule, who=who, **numbers)
