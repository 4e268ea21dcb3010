"""What one node says of an account nonce as of its newest final block; later blocks may go again and prove nothing."""

from collections.abc import Callable, Mapping
from typing import Final

from mcp_wallet.adapters.evm.node import Node
from mcp_wallet.adapters.evm.wire import Block, parse_block, parse_number
from mcp_wallet.core.evidence import Testimony
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.registry import Chain
from mcp_wallet.core.settlement_gate import Receipt

LOCAL: Final = "local"
"""The development chain has no finality of its own: there its configured depth is final."""


async def block_at(node: Node, which: str) -> Block | None:
    """Return the block of a number or tag, None when the node has none such."""
    return await node.ask("eth_getBlockByNumber", [which, False], lambda v: None if v is None else parse_block(v))


async def testify(
    node: Node, chain: Chain, *, sender: Address, receipts: Mapping[str, Callable[[object], Receipt | None]]
) -> Testimony | None:
    """Return the node's word, None when it knows no final block.

    Args:
        receipts: For each transaction hash that we signed, how its receipt is parsed.

    Raises:
        OutsideError: `NODE_UNAVAILABLE`.
    """
    final = await final_number(node, chain)
    if final is None:
        return None
    used = await node.ask("eth_getTransactionCount", [sender, hex(final)], parse_number)
    for transaction_hash, parse in receipts.items():
        receipt = await node.ask("eth_getTransactionReceipt", [transaction_hash], parse)
        if receipt is not None and await _stands(node, receipt, final):
            return Testimony(final_nonce=used, receipt=receipt)
        if receipt is not None:
            return None  # it is in a block that is not final: there is nothing to say yet
    return Testimony(final_nonce=used, receipt=None)


async def final_number(node: Node, chain: Chain) -> int | None:
    """Return the number of the node's newest final block, None when it knows none."""
    if chain.name != LOCAL:
        block = await block_at(node, "finalized")
        return None if block is None else block.number
    newest = await block_at(node, "latest")
    return None if newest is None else max(0, newest.number - max(chain.confirmations, 1) + 1)


async def _stands(node: Node, receipt: Receipt, final: int) -> bool:
    own = await block_at(node, hex(receipt.block_number))
    return receipt.block_number <= final and own is not None and own.hash == receipt.block_hash
