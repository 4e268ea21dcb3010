"""What clock, ledger and chain say: a fact that was not measured decides nothing, a fact that says no refuses."""

from typing import Final

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Counters, Facts, Reason
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.reasons import ReasonCode

CLOCK_CLAMP_MS: Final = 2_000
"""The wall clock may lag the ledger's newest time by this much; more is not to be trusted."""
BLOCK_DISTANCE_MS: Final = 300_000
"""The newest block may be this far from now."""
SILENCE_MS: Final = 3_600_000
"""Time may run ahead of the newest event by this much without a block that agrees."""
LOCAL: Final = ChainId("eip155:31337")
"""The development chain: its blocks come when somebody pays, so their times prove nothing."""
NATIVE: Final = "/slip44:"


def engine_reasons(counters: Counters, facts: Facts, *, chain: str, now_ms: int) -> tuple[Reason, ...]:
    """Return what stops every payment: a halt, a ledger behind its account, a clock that cannot be believed."""
    reasons = []
    if counters.halted:
        reasons.append(Reason(code=ReasonCode(counters.halted)))
    if counters.last_event_ms - counters.wall_ms > CLOCK_CLAMP_MS:
        reasons.append(_clock(counters.wall_ms, counters.last_event_ms))
    if not facts.source:
        return tuple(reasons)
    expected, observed = counters.ledger_nonce, facts.account_nonce
    if expected is not None and observed is not None and observed > expected:
        reasons.append(Reason(code=ReasonCode.ROLLBACK_DETECTED, observed=str(observed), limit=str(expected)))
    if chain != LOCAL:
        reasons += _block_time_reasons(counters, facts, now_ms)
    return tuple(reasons)


def chain_reasons(
    policy: CompiledPolicy, intent: PaymentIntent, counters: Counters, facts: Facts
) -> tuple[Reason, ...]:
    """Return the refusals of the pre-flight: a revert, too little money, too dear a fee."""
    if not facts.source:
        return ()
    reasons = []
    if facts.simulation_revert:
        reasons.append(Reason(code=ReasonCode.SIMULATION_REVERTED, observed=facts.simulation_revert))
    fee_wei = (facts.gas_limit or 0) * (facts.max_fee_wei or 0)
    native_needed = fee_wei
    if NATIVE in intent.asset:
        native_needed += intent.amount_units
    for balance, needed in (
        (facts.asset_balance_units, intent.amount_units),
        (facts.native_balance_wei, native_needed),
    ):
        if balance is not None and balance < needed:
            reasons.append(Reason(code=ReasonCode.INSUFFICIENT_FUNDS, observed=str(balance), limit=str(needed)))
    if fee_wei:
        reasons += _fee_reasons(policy, ChainId(intent.chain), fee_wei, counters.fees_today_wei)
    return tuple(reasons)


def _block_time_reasons(counters: Counters, facts: Facts, now_ms: int) -> list[Reason]:
    block_ms = facts.block_time_ms
    if block_ms is not None:
        return [_clock(now_ms, block_ms)] if abs(now_ms - block_ms) > BLOCK_DISTANCE_MS else []
    unproven = counters.last_event_ms and now_ms - counters.last_event_ms > SILENCE_MS
    return [_clock(now_ms, counters.last_event_ms)] if unproven else []


def _fee_reasons(policy: CompiledPolicy, chain: ChainId, fee_wei: int, fees_today_wei: int) -> list[Reason]:
    """Return the fee caps that would be exceeded; a chain without caps in the settings may cost nothing."""
    cap_wei, day_cap_wei = policy.fee_caps.get(chain, (0, 0))
    reasons = []
    if fee_wei > cap_wei:
        reasons.append(Reason(code=ReasonCode.FEE_CAP_EXCEEDED, observed=str(fee_wei), limit=str(cap_wei)))
    if fees_today_wei + fee_wei > day_cap_wei:
        reasons.append(
            Reason(
                code=ReasonCode.FEE_CAP_EXCEEDED,
                observed=str(fees_today_wei + fee_wei),
                limit=str(day_cap_wei),
                remaining=str(max(0, day_cap_wei - fees_today_wei)),
            )
        )
    return reasons


def _clock(now_ms: int, witness_ms: int) -> Reason:
    return Reason(code=ReasonCode.CLOCK_UNTRUSTED, observed=str(now_ms), limit=str(witness_ms))
