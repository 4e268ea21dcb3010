"""One sent payment until its end: the same bytes again and again, until the chain proves what became of them.

A receipt of ours with the approved effect ends it as paid, whoever shows it. Everything else is patience: what did not
pay ends it only when `core/evidence.py` says that it is proven, and another effect than was approved freezes the chain
only when its block is final, for until then it may be a lie or a block that goes again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.core.decision import Reason
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.evidence import Proof, judge
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settlement_gate import Receipt, check_settlement
from mcp_wallet.ports import Attempt, ChainPort, Ledger, PaymentRecord, Sent

log = logging.getLogger(__name__)

UNKNOWN_AFTER_SECONDS: Final = 60.0
RESEND_SECONDS: Final = 15.0
REPLACE_SECONDS: Final = 60.0
"""A transaction that a node has and no block takes for so long is offered again for a higher fee."""
PROOF_SECONDS: Final = 15.0
POLL_SECONDS_MIN: Final = 0.02
POLL_SECONDS_MAX: Final = 2.0
POLL_GROWTH: Final = 1.4
NEVER: Final = float("-inf")


@dataclass(slots=True)
class Watch:
    """The patience with one payment whose signed bytes are durable.

    Args:
        record: As the ledger has it; `state` is what the ledger was last told.
        raise_fee: Returns the payment's next signed transaction, durable, or None when none may be made now.
        monotonic: Seconds of a clock that never goes back, for patience only.
    """

    ledger: Ledger
    chain: ChainPort
    settings: Settings
    monotonic: Callable[[], float]
    record: PaymentRecord
    raise_fee: Callable[[str], Awaitable[Attempt | None]]
    _attempts: tuple[Attempt, ...] = ()
    _waits_since: float = field(init=False)
    _sent_at: float = NEVER
    _asked_at: float = NEVER
    _heard_at: float = field(init=False)
    _is_taken: bool = False

    def __post_init__(self) -> None:
        """Begin to be patient."""
        self._heard_at = self._waits_since = self.monotonic()
        self._attempts = (Attempt(transaction_hash=self.record.transaction_hash, signed=self.record.signed),)

    async def run(self) -> PaymentRecord | None:
        """Return the payment confirmed, or None when it ended otherwise."""
        pause = POLL_SECONDS_MIN
        if self.record.state is not State.SIGNED:
            self._attempts = await self.ledger.attempts(self.record.payment_id) or self._attempts
        receipt = None if self.record.state is State.SIGNED else await self._receipt()
        while True:
            if receipt is None and self.monotonic() - self._sent_at >= RESEND_SECONDS:
                await self._send()
                receipt = await self._receipt()
            ended = await self._settle(receipt)
            if ended is not None:
                return ended if ended.state is State.CONFIRMED else None
            await self._mark()
            if receipt is None:
                await self._hurry()
            await asyncio.sleep(pause)
            pause = min(pause * POLL_GROWTH, POLL_SECONDS_MAX)
            receipt = await self._receipt()

    async def _send(self) -> None:
        """Hand the bytes over once; what is not a statement proves nothing."""
        self._sent_at = self.monotonic()
        answer = await self.chain.send(self._attempts[-1].signed)
        self._is_taken = answer in (Sent.ACCEPTED, Sent.KNOWN)
        if self._is_taken:
            self._heard_at = self._sent_at
            return
        log.warning(
            "payment %s: the node says %s; the outcome is unknown, the same bytes stay", self.record.payment_id, answer
        )

    async def _hurry(self) -> None:
        """Offer a higher fee for what a node has and no block takes; every hash that was sent is watched on."""
        if not self._is_taken or self.monotonic() - self._waits_since < REPLACE_SECONDS:
            return
        self._waits_since = self.monotonic()
        try:
            attempt = await self.raise_fee(self.record.payment_id)
        except OutsideError as error:
            log.warning("payment %s: its fee was not raised: %s", self.record.payment_id, error.message)
            return
        if attempt is not None and attempt not in self._attempts:
            self._attempts += (attempt,)
            self._sent_at = NEVER

    async def _mark(self) -> None:
        """Record what is new: a node has the bytes, or nobody has heard of them for too long."""
        if self._is_taken:
            await self._move(State.BROADCAST)
        elif self.monotonic() - self._heard_at >= UNKNOWN_AFTER_SECONDS:
            await self._move(State.UNKNOWN)

    async def _move(self, state: State) -> None:
        if self.record.state is state:
            return
        if state is State.BROADCAST:
            await self.ledger.mark_broadcast(self.record.payment_id)
        else:
            await self.ledger.mark_unknown(self.record.payment_id)
        self.record = self.record._replace(state=state)

    async def _settle(self, receipt: Receipt | None) -> PaymentRecord | None:
        """Return the payment when this look ends the watch, else None."""
        if receipt is None:
            return None if self._is_taken else await self._prove()
        self._heard_at = self.monotonic()
        registry = self.settings.registry
        settlement = check_settlement(
            intent=self.record.intent,
            asset=registry.asset_by_id(AssetId(self.record.intent.asset)),
            transaction_hash=self._hash_of(receipt),
            receipt=receipt,
            registry=registry,
        )
        confirmations = registry.chain(self.record.intent.chain).confirmations
        if settlement.outcome == "reverted":
            return await self._prove()
        if not await _is_final(self.chain, receipt, confirmations):
            return None
        if settlement.outcome == "mismatch":
            await self.ledger.settlement_mismatch(self.record.payment_id, receipt, settlement.observed)
            return self.record
        await self.ledger.confirm(self.record.payment_id, receipt)
        return self.record._replace(
            state=State.CONFIRMED, transaction_hash=receipt.transaction_hash, block_number=receipt.block_number
        )

    def _hash_of(self, receipt: Receipt) -> str:
        """Return our hash that the receipt is of; the first one when it is of none of ours, which Gate 3 then says."""
        ours = [attempt.transaction_hash for attempt in self._attempts]
        return receipt.transaction_hash if receipt.transaction_hash in ours else ours[0]

    async def _prove(self) -> PaymentRecord | None:
        """End the payment as failed when that is proven; ask for proof only now and then."""
        now = self.monotonic()
        if now - self._asked_at < PROOF_SECONDS:
            return None
        self._asked_at = now
        record = self.record
        assert record.nonce is not None, "signed bytes have a nonce"  # noqa: S101
        chain_id = ChainId(record.intent.chain)
        found = self.settings.chains.get(chain_id)
        testimonies = await self.chain.testimonies(
            sender=Address(record.intent.sender), hashes=[a.transaction_hash for a in self._attempts]
        )
        trusted = found is not None and found.trust_single_node
        proof, receipt = judge(testimonies, nonce=record.nonce, trust_single_node=trusted)
        if proof is Proof.NOTHING:
            if testimonies:
                await self._doubt(testimonies[0].receipt)
            return None
        if receipt is not None:
            reason = Reason(code=ReasonCode.TRANSACTION_REVERTED, observed=f"block {receipt.block_number}")
        else:
            reason = Reason(code=ReasonCode.NONCE_MISMATCH, observed=str(record.nonce))
        await self.ledger.fail(record.payment_id, reason, receipt)
        if receipt is None:
            await self.ledger.outflow(chain_id, f"another transaction has used the account's nonce {record.nonce}")
        return record

    async def _doubt(self, receipt: Receipt | None) -> None:
        """Say `unknown` of what one node calls reverted for good and nobody confirms: a person may resolve it."""
        if receipt is not None and receipt.status == 0:
            if self._is_taken:
                await self._move(State.BROADCAST)
            self._is_taken = False
            await self._move(State.UNKNOWN)

    async def _receipt(self) -> Receipt | None:
        """Return the receipt, or None also when nobody answers: silence proves nothing."""
        try:
            for attempt in reversed(self._attempts):
                receipt = await self.chain.receipt(attempt.transaction_hash)
                if receipt is not None:
                    return receipt
        except OutsideError as error:
            log.warning("no receipt: %s", error.message)
        return None


async def _is_final(chain: ChainPort, receipt: Receipt, confirmations: int) -> bool:
    try:
        return await chain.is_final(receipt, confirmations=confirmations)
    except OutsideError as error:
        log.warning("finality is not known: %s", error.message)
        return False
