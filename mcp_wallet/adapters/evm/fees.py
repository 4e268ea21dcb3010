"""The EIP-1559 quote: enough to be mined soon, never more than the cap allows while that can be mined at all."""

from dataclasses import dataclass
from statistics import median_low

from mcp_wallet.adapters.evm.wire import FeeHistory

PRIORITY_FEE_WEI_MIN = 1_000_000
"""geth's default floor for a tip (0.001 gwei); on a quiet chain the median tip is zero and nobody would mine for it."""
PLAIN_TRANSFER_GAS = 21_000
"""A bare value to an account without code (EIP-2028 leaves it so); needs no head-room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeQuote:
    """Max fee and priority fee per gas, in wei."""

    max_fee_wei: int
    priority_fee_wei: int


def quote_fees(history: FeeHistory, *, gas_limit: int | None, fee_cap_wei: int) -> FeeQuote:
    """Return twice the base fee and the tip as max fee, lowered to what the cap allows.

    A cap that does not even cover the next block's base fee and tip leaves the quote unlowered, so that Gate 1 sees
    `gas_limit * max_fee_wei` beyond the cap and refuses, instead of a payment that is signed and never mined.

    Args:
        history: Of recent blocks.
        gas_limit: Of the payment; None when it would fail anyway.
        fee_cap_wei: Most that the whole fee may be.
    """
    tip_wei = max(median_low(history.priority_fees_wei or (0,)), PRIORITY_FEE_WEI_MIN)
    wanted_wei = 2 * history.next_base_fee_wei + tip_wei
    allowed_wei = fee_cap_wei // gas_limit if gas_limit else wanted_wei
    if allowed_wei < history.next_base_fee_wei + tip_wei:
        allowed_wei = wanted_wei
    return FeeQuote(max_fee_wei=min(wanted_wei, allowed_wei), priority_fee_wei=tip_wei)


def limit_gas(estimate: int) -> int:
    """Return the gas limit: a fifth of head-room, none for a plain transfer, whose cost is fixed."""
    return estimate if estimate == PLAIN_TRANSFER_GAS else estimate * 6 // 5
