"""What the limits say: every one that matches must hold, counting what is held and what is spent."""

from collections.abc import Sequence
from typing import NamedTuple

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Counters, Reason, WindowUse
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.windows import Limit


class Standing(NamedTuple):
    """How a payment stands towards its limits, per limit id.

    Base units for a limit on amounts, else payments or recipients: the first of the three that the limit has.
    """

    reasons: tuple[Reason, ...]
    maxima: dict[str, int]
    before: dict[str, int]
    after: dict[str, int]


def standing_of(limits: Sequence[Limit], uses: Sequence[WindowUse], *, asset: str, units: int) -> Standing:
    """Return what each limit leaves and which ones the payment would exceed.

    Raises:
        InvariantBroken: When a matching limit was not counted, or another one was.
    """
    reasons: tuple[Reason, ...] = ()
    maxima: dict[str, int] = {}
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    if len(limits) != len(uses):
        raise InvariantBroken("a limit that matches this payment was not counted")
    for limit, use in zip(limits, uses, strict=True):
        key, max_units, max_count = limit.limit_id, limit.max_units_by_asset, limit.max_count
        if use.limit_id != key:
            raise InvariantBroken("the counters are not those of the limits that match this payment")
        if max_units is not None:
            maximum, used, taken = max_units[asset], use.spent_units + use.held_units, units
        elif max_count is not None:
            maximum, used, taken = max_count, use.count, 1
        else:
            maximum, used, taken = limit.max_distinct_recipients or 0, use.distinct, int(not use.knows_recipient)
        left = maximum - used
        maxima[key] = maximum
        before[key] = max(0, left)
        after[key] = max(0, left - taken)
        if taken > left or max_count is not None or limit.max_distinct_recipients is not None:
            reasons += _exceeded(limit, use, asset=asset, units=units)
    return Standing(reasons, maxima, before, after)


def timing_reasons(policy: CompiledPolicy, counters: Counters, now_ms: int) -> tuple[Reason, ...]:
    """Return the refusals of `cooldown` and `newRecipientHold`; each is over at exactly its length."""
    if not policy.cooldown_ms and not policy.new_recipient_hold_ms:
        return ()
    reasons = []
    if policy.cooldown_ms and counters.last_payment_ms is not None:
        elapsed_ms = now_ms - counters.last_payment_ms
        if elapsed_ms < policy.cooldown_ms:
            reasons.append(_too_soon(ReasonCode.COOLDOWN, "/cooldown", elapsed_ms, policy.cooldown_ms))
    if policy.new_recipient_hold_ms:
        known_ms = 0 if counters.known_since_ms is None else now_ms - counters.known_since_ms
        if known_ms < policy.new_recipient_hold_ms:
            hold_ms = policy.new_recipient_hold_ms
            reasons.append(_too_soon(ReasonCode.NEW_RECIPIENT_HOLD, "/newRecipientHold", known_ms, hold_ms))
    return tuple(reasons)


def _exceeded(limit: Limit, use: WindowUse, *, asset: str, units: int) -> tuple[Reason, ...]:
    used_units = use.spent_units + use.held_units
    distinct = use.distinct + (not use.knows_recipient)
    maxima = limit.max_units_by_asset
    found: list[Reason] = []
    if maxima is not None and used_units + units > maxima[asset]:
        code = ReasonCode.WINDOW_LIMIT_EXCEEDED
        found.append(_reason(code, limit, "/maxAmount", used_units + units, maxima[asset], used_units))
    if limit.max_count is not None and use.count + 1 > limit.max_count:
        code = ReasonCode.COUNT_LIMIT_EXCEEDED
        found.append(_reason(code, limit, "/maxCount", use.count + 1, limit.max_count, use.count))
    most = limit.max_distinct_recipients
    if most is not None and not use.knows_recipient and distinct > most:
        code = ReasonCode.DISTINCT_LIMIT_EXCEEDED
        found.append(_reason(code, limit, "/maxDistinctRecipients", distinct, most, use.distinct))
    return tuple(found)


def _reason(  # noqa: PLR0917  private, called three times in a row
    code: ReasonCode, limit: Limit, field: str, observed: int, maximum: int, used: int
) -> Reason:
    return Reason(
        code=code,
        rule=limit.limit_id,
        pointer=limit.pointer + field,
        observed=str(observed),
        limit=str(maximum),
        remaining=str(max(0, maximum - used)),
    )


def _too_soon(code: ReasonCode, pointer: str, elapsed_ms: int, needed_ms: int) -> Reason:
    return Reason(
        code=code,
        pointer=pointer,
        observed=str(elapsed_ms),
        limit=str(needed_ms),
        remaining=str(needed_ms - elapsed_ms),
    )
