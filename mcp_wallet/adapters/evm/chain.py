"""`ChainPort` over the chain's configured nodes.

Reads ask the nodes in their order until one answers. A node on another chain is an error, never skipped. Bytes are
handed to one node after the other only until one of them says anything about them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from mcp_wallet.adapters.evm.facts import measure_facts
from mcp_wallet.adapters.evm.node import Node
from mcp_wallet.adapters.evm.sending import send_once
from mcp_wallet.adapters.evm.wire import Block, parse_block, parse_receipt
from mcp_wallet.core.decision import Facts
from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import FINALIZED, Chain, Registry
from mcp_wallet.core.settings import ChainSettings
from mcp_wallet.core.settlement_gate import Receipt
from mcp_wallet.ports import Sent

T = TypeVar("T")


class EvmChain:
    """One EVM chain (`ports.ChainPort`).

    Args:
        chain: Which one; every node must be on it.
        settings: Its nodes, asked in this order.
        registry: Says which tokens' logs a receipt keeps.
    """

    def __init__(self, chain: Chain, settings: ChainSettings, registry: Registry) -> None:
        """Take the configuration; nothing is imported or opened before the first use."""
        if not settings.nodes:
            raise OwnerError(ReasonCode.NODE_UNAVAILABLE, f"No node is configured for {chain.name}: add one.")
        self._chain = chain
        self._registry = registry
        self._nodes = tuple(Node(url, chain) for url in settings.nodes)

    async def warm(self) -> None:
        """Import what the first call needs, off the event loop; nothing is sent."""
        await self._nodes[0].warm()

    async def facts(self, draft: PaymentDraft, *, fee_cap_wei: int) -> Facts:
        """Return what the first node that answers says now of this payment, and of nothing older."""
        return await self._first_answer(lambda node: measure_facts(node, draft, fee_cap_wei=fee_cap_wei))

    async def send(self, raw: bytes) -> Sent:
        """Return the answer of the first node that says anything about the bytes."""
        for node in self._nodes:
            answer = await send_once(node, raw)
            if answer is not Sent.UNREACHABLE:
                return answer
        return Sent.UNREACHABLE

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Return the receipt by the first node that answers, None when that one has none."""
        parse = partial(
            parse_receipt, chain=self._chain.chain_id, registry=self._registry, transaction_hash=transaction_hash
        )

        async def ask(node: Node) -> Receipt | None:
            await node.check_chain()
            return await node.ask("eth_getTransactionReceipt", [transaction_hash], parse)

        return await self._first_answer(ask)

    async def is_final(self, receipt: Receipt, *, confirmations: int) -> bool:
        """Return whether the receipt's block still stands and is as deep as asked, or `finalized`."""
        if confirmations == FINALIZED:
            return await self._depth(receipt, "finalized") > 0
        return await self._depth(receipt, "latest") >= confirmations

    async def confirmations(self, receipt: Receipt) -> int:
        """Return how many blocks stand on the receipt's block, itself included; 0 when a reorg took it away."""
        return await self._depth(receipt, "latest")

    async def close(self) -> None:
        """Close the connections to all nodes."""
        for node in self._nodes:
            await node.close()

    async def _depth(self, receipt: Receipt, tag: str) -> int:
        """Return the number of blocks from the receipt's own to the tag's, both included; 0 when it does not stand."""

        async def ask(node: Node) -> int:
            await node.check_chain()
            newest, own = await asyncio.gather(_block(node, tag), _block(node, hex(receipt.block_number)))
            if newest is None or own is None or own.hash != receipt.block_hash:
                return 0
            return max(newest.number - receipt.block_number + 1, 0)

        return await self._first_answer(ask)

    async def _first_answer(self, ask: Callable[[Node], Awaitable[T]]) -> T:
        for node in self._nodes[:-1]:
            try:
                return await ask(node)
            except OutsideError as problem:
                if problem.code != ReasonCode.NODE_UNAVAILABLE:
                    raise
        return await ask(self._nodes[-1])


async def _block(node: Node, which: str) -> Block | None:
    """Return the block of a number or tag, None when the node has none such."""
    return await node.ask("eth_getBlockByNumber", [which, False], lambda v: None if v is None else parse_block(v))
