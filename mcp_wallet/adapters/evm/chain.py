"""`ChainPort` over the chain's configured nodes.

Reads ask the nodes in their order until one answers. A node on another chain is an error, never skipped. Bytes are
handed to one node after the other only until one of them says anything about them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from mcp_wallet.adapters.evm.facts import account_nonce, measure_facts
from mcp_wallet.adapters.evm.node import Node
from mcp_wallet.adapters.evm.sending import send_once
from mcp_wallet.adapters.evm.sighting import sight
from mcp_wallet.adapters.evm.testimony import block_at, testify
from mcp_wallet.adapters.evm.wire import parse_receipt
from mcp_wallet.core.decision import Facts
from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.evidence import Testimony
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.outflow import Sighting
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import FINALIZED, Chain, Registry
from mcp_wallet.core.settings import ChainSettings
from mcp_wallet.core.settlement_gate import Receipt
from mcp_wallet.ports import Sent

T = TypeVar("T")

log = logging.getLogger(__name__)


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
        """Return what the first node that answers says now of this payment, and of nothing older.

        The account's nonce is the least that any node says: a first payment takes it, and one node that calls it too
        high would leave a gap that nothing fills.
        """
        asked = self._nodes if len(self._nodes) > 1 else ()
        facts, nonces = await asyncio.gather(
            self._first_answer(lambda node: measure_facts(node, draft, fee_cap_wei=fee_cap_wei)),
            asyncio.gather(*(self._nonce_of(node, draft.sender) for node in asked)),
        )
        said = [nonce for nonce in (facts.account_nonce, *nonces) if nonce is not None]
        return replace(facts, account_nonce=min(said, default=None))

    async def send(self, raw: bytes) -> Sent:
        """Return the answer of the first node that says anything about the bytes."""
        for node in self._nodes:
            answer = await send_once(node, raw)
            if answer is not Sent.UNREACHABLE:
                return answer
        return Sent.UNREACHABLE

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Return the receipt by the first node that has one: a node that hides it is not the last to be asked."""
        parse = self._parser(transaction_hash)

        async def ask(node: Node) -> Receipt | None:
            await node.check_chain()
            return await node.ask("eth_getTransactionReceipt", [transaction_hash], parse)

        found: Receipt | None = None
        missing: OutsideError | None = None
        answered = False
        for node in self._nodes:
            try:
                found = await ask(node)
            except OutsideError as problem:
                if problem.code != ReasonCode.NODE_UNAVAILABLE:
                    raise
                missing = problem
                continue
            answered = True
            if found is not None:
                return found
        if missing is not None and not answered:
            raise missing
        return None

    async def testimonies(self, *, sender: Address, hashes: Sequence[str]) -> tuple[Testimony, ...]:
        """Return what each node says that answers all of it."""
        answers = await asyncio.gather(*(self._testify(node, sender, hashes) for node in self._nodes))
        return tuple(answer for answer in answers if answer is not None)

    async def _nonce_of(self, node: Node, account: Address) -> int | None:
        try:
            await node.check_chain()
            return await account_nonce(node, account)
        except OutsideError as problem:
            log.warning("a node says no nonce: %s", problem.message)
            return None

    async def _testify(self, node: Node, sender: Address, hashes: Sequence[str]) -> Testimony | None:
        try:
            await node.check_chain_again()
            receipts = {h: self._parser(h) for h in hashes}
            return await testify(node, self._chain, sender=sender, receipts=receipts)
        except OutsideError as problem:
            log.warning("a node gives no evidence: %s", problem.message)
            return None

    async def sight(self, account: Address, *, after: int | None) -> Sighting | None:
        """Return what the first node that answers sees of the account."""
        tokens = tuple(a.token for a in self._registry.assets if a.chain == self._chain.chain_id and a.token)

        async def look(node: Node) -> Sighting | None:
            await node.check_chain()
            return await sight(node, self._chain, account=account, tokens=tokens, after=after)

        return await self._first_answer(look)

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

    def _parser(self, transaction_hash: str) -> Callable[[object], Receipt | None]:
        return partial(
            parse_receipt, chain=self._chain.chain_id, registry=self._registry, transaction_hash=transaction_hash
        )

    async def _depth(self, receipt: Receipt, tag: str) -> int:
        """Return the number of blocks from the receipt's own to the tag's, both included; 0 when it does not stand."""

        async def ask(node: Node) -> int:
            await node.check_chain()
            newest, own = await asyncio.gather(block_at(node, tag), block_at(node, hex(receipt.block_number)))
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
