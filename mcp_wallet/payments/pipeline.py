"""The story of a payment. Each step takes the previous value and returns a new one; nothing reaches back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.payments.settle import Settlement
from mcp_wallet.ports import Approved, ChainPort, Chains, Denied, Ledger, PaymentRecord, Replayed

Progress = Callable[[str], Awaitable[None]]
DECISIONS_AT_ONCE: Final = 8
"""Payments of one process that ask the node and decide at the same time; a dozen questions each."""
CONFIRMATIONS_SECONDS: Final = 3.0
"""So long an answer waits for a node that is only to count blocks."""
_ON_CHAIN: Final = frozenset({State.BROADCAST, State.UNKNOWN, State.CONFIRMED})
ANSWER_SECONDS: Final = 8.0
"""A tool answers within 10 s, whatever the chain does; the payment goes on without it."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Asks, decides, reserves, signs, sends and settles, in this order."""

    ledger: Ledger
    chains: Chains
    settlement: Settlement
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DECISIONS_AT_ONCE))

    async def pay(
        self, draft: PaymentDraft, policy: CompiledPolicy, progress: Progress | None = None
    ) -> Approved | Denied | Replayed:
        """Return the decision; when it approved, the payment is under way or done (ask the ledger for its state).

        Raises:
            OutsideError: Before anything was reserved: node or ledger did not answer.
        """
        async with self._turns:  # a crowd waits here, not at the node, and is refused here once the budget is gone
            early = await self.ledger.preview(draft)  # (1) what needs no chain is refused here, on the trail
            if early is not None:
                return early
            fee_cap_wei = policy.fee_caps.get(draft.chain.chain_id, (0, 0))[0]
            facts = await self._chain_of(draft).facts(draft, fee_cap_wei=fee_cap_wei)  # (2) network, never under a lock
            decided = await self.ledger.decide_and_reserve(draft, facts)  # (3) Gate 1, one commit
        if isinstance(decided, Approved):
            # (4) Gate 2, key, broadcast, Gate 3: not the caller's to cancel, and begun before anything is told
            task = self.settlement.start(decided.record)
            await self._tell(progress, "approved: signing and sending")
            confirmed = await self._wait(task, progress)
            return replace(decided, record=confirmed) if confirmed is not None else decided
        return decided

    async def confirmations(self, record: PaymentRecord) -> int | None:
        """Return how many blocks confirm a sent payment, its own included; None when no node says so in time."""
        chain = self.chains.by_id.get(ChainId(record.intent.chain))
        if chain is None or record.state not in _ON_CHAIN:
            return None
        try:
            async with asyncio.timeout(CONFIRMATIONS_SECONDS):
                receipt = await chain.receipt(record.transaction_hash)
                return None if receipt is None else await chain.confirmations(receipt)
        except (OutsideError, TimeoutError):
            return None

    def _chain_of(self, draft: PaymentDraft) -> ChainPort:
        chain = self.chains.by_id.get(draft.chain.chain_id)
        if chain is None:
            raise OutsideError(
                ReasonCode.NODE_UNAVAILABLE,
                f"No node is configured for {draft.chain.name}: nothing was paid; ask the operator.",
                retryable=False,
            )
        return chain

    async def _wait(self, task: asyncio.Task[PaymentRecord | None], progress: Progress | None) -> PaymentRecord | None:
        """Return the confirmed payment, waiting as long as an answer may take and saying that the wallet is alive."""
        for _ in range(4):
            done, _pending = await asyncio.wait({task}, timeout=ANSWER_SECONDS / 4)
            if done:
                return task.result()
            await self._tell(progress, "sent: waiting for the chain")
        return None

    @staticmethod
    async def _tell(progress: Progress | None, text: str) -> None:
        if progress is not None:
            await progress(text)
