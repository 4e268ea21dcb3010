"""What recent blocks cost: the answer to `eth_feeHistory`."""

from typing import Final

from mcp_wallet.devnet.chain import DevChain, Mined
from mcp_wallet.devnet.wire import INVALID_PARAMS, Json, RpcError, base_fee_wei, effective_price_wei

GWEI: Final = 10**9
BLOCKS_MAX: Final = 1_024
PERCENTILE_MAX: Final = 100


def fee_history(chain: DevChain, *, count: int, newest: int, percentiles: object) -> Json:
    """Return base fees (one more than blocks: the next block's is known), fullness, and tips by percentile of gas.

    Args:
        chain: The blocks.
        count: How many, at most 1024; fewer when the chain is younger.
        newest: Number of the last one.
        percentiles: Ascending numbers from 0 to 100, or None.
    """
    wanted = _parse_percentiles(percentiles)
    oldest = max(newest - min(count, BLOCKS_MAX) + 1, 0)
    blocks = [chain.mined(number) for number in range(oldest, newest + 1)]
    is_newest = newest == chain.newest
    next_fee_wei = chain.next_base_fee_wei if is_newest else base_fee_wei(chain.mined(newest + 1).block)
    answer: dict[str, Json] = {
        "oldestBlock": hex(oldest),
        "baseFeePerGas": [*(hex(base_fee_wei(mined.block)) for mined in blocks), hex(next_fee_wei)],
        "gasUsedRatio": [mined.block.header.gas_used / mined.block.header.gas_limit for mined in blocks],
    }
    if wanted:
        answer["reward"] = [_rewards(mined, wanted) for mined in blocks]
    return answer


def _rewards(mined: Mined, percentiles: list[float]) -> Json:
    """Return the tip per gas at each percentile of the block's gas; zeros when the block is empty."""
    used = [0, *(receipt.gas_used for receipt in mined.receipts)]
    tips = sorted(
        (effective_price_wei(tx, mined.block) - base_fee_wei(mined.block), after - before)
        for tx, before, after in zip(mined.block.transactions, used, used[1:], strict=False)
    )
    return [hex(_tip_at(tips, used[-1] * percentile / PERCENTILE_MAX)) for percentile in percentiles]


def _tip_at(tips: list[tuple[int, int]], threshold_gas: float) -> int:
    gas = 0
    for tip_wei, gas_used in tips:
        gas += gas_used
        if gas >= threshold_gas:
            return tip_wei
    return 0


def _parse_percentiles(value: object) -> list[float]:
    if value is None:
        return []
    rows = value if isinstance(value, list) else [None]
    numbers = [float(row) for row in rows if isinstance(row, int | float) and 0 <= row <= PERCENTILE_MAX]
    if len(numbers) != len(rows) or numbers != sorted(numbers):
        raise RpcError("invalid argument: percentiles are ascending numbers from 0 to 100", INVALID_PARAMS)
    return numbers
