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
    `remaining` is after the payment.
    """

    reasons: tuple[Reason, ...]
    maxima: dict[str, int]
    remaining: dict[str, int]


def standing_of(limits: Sequence[Limit], uses: Sequence[WindowUse], *, asset: str, units: int) -> Standing:
    """Return what each limit would leave and which ones the payment would exceed.

    Raises:
        InvariantBroken: When a matching limit was not counted, or another one was.
    """
    reasons: tuple[Reason, ...] = ()
    maxima: dict[str, int] = {}
    remaining: dict[str, int] = {}
    if len(limits) != len(uses):
        raise InvariantBroken("a limit that matches this payment was not counted")
    for limit, use in zip(limits, uses, strict=True):
        key, max_units = limit.limit_id, limit.max_units_by_asset
        if use.limit_id != key:
            raise InvariantBroken("the counters are not those of the limits that match this payment")
        if max_units is not None:
            maximum = max_units[asset]
            left = maximum - use.spent_units - use.held_units - units
        else:
            maximum, used = _counted(limit, use)
            left = maximum - used - (limit.max_count is not None or not use.knows_recipient)
        if left < 0 or limit.max_count is not None or limit.max_distinct_recipients is not None:
            reasons += _exceeded(limit, use, asset=asset, units=units)
            left = max(0, left)
        maxima[key] = maximum
        remaining[key] = left
    return Standing(reasons, maxima, remaining)


def remaining_before(limits: Sequence[Limit], uses: Sequence[WindowUse], *, asset: str) -> dict[str, int]:
    """Return what each limit leaves as long as the payment is not made."""
    remaining = {}
    for limit, use in zip(limits, uses, strict=True):
        if limit.max_units_by_asset is not None:
            left = limit.max_units_by_asset[asset] - use.spent_units - use.held_units
        else:
            maximum, used = _counted(limit, use)
            left = maximum - used
        remaining[limit.limit_id] = max(0, left)
    return remaining


def _counted(limit: Limit, use: WindowUse) -> tuple[int, int]:
    if limit.max_count is not None:
        return limit.max_count, use.count
    return limit.max_distinct_recipients or 0, use.distinct


def timing_reasons(policy: CompiledPolicy, counters: Counters, now_ms: int) -> tuple[Reason, ...]:
    """Return the refusals of `cooldown` and `newRecipientHold`; each is over at exactly its length."""
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
