"""From an approved payment to its end: sign, send, watch, with nothing lost and nothing sent twice.

`drive` is the same for a fresh payment and after a restart: it looks at the durable state and takes the next step. Two
processes may drive one payment: each step is a compare-and-set in the ledger, the signature is deterministic, and the
bytes that leave are always the stored ones.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.core.building import build_payment, build_replacement
from mcp_wallet.core.errors import OutsideError, WalletError
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.lifecycle import HELD, State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import FINALIZED
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, Signed, check_signed
from mcp_wallet.payments.watch import Watch
from mcp_wallet.ports import Attempt, Builder, Chains, Ledger, PaymentRecord, Rebuilder, Signer

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 20.0
LOOKS_AT_ONCE: Final = 25
MISSED_MAX: Final = 2
"""So many looks in a row must miss a confirmed payment's receipt: one node may be a block behind."""


@dataclass(slots=True)
class Settlement:
    """Drives payments to their end.

    Args:
        monotonic: Seconds of a clock that never goes back, for patience only; no rule depends on it.
        build: Makes unsigned bytes; Gate 2 trusts none of them.
    """

    ledger: Ledger
    chains: Chains
    signer: Signer
    settings: Settings
    monotonic: Callable[[], float]
    build: Builder = build_payment
    rebuild: Rebuilder = build_replacement
    _running: dict[str, asyncio.Task[PaymentRecord | None]] = field(default_factory=dict)
    _missed: Counter[str] = field(default_factory=Counter)
    _final: set[str] = field(default_factory=set)
    _looked: dict[str, float] = field(default_factory=dict)

    def start(self, record: PaymentRecord) -> asyncio.Task[PaymentRecord | None]:
        """Return the task that drives the payment; it belongs to the wallet, not to the caller who asked.

        The task's result is the payment when it was confirmed here, else None: then the ledger knows.
        """
        task = self._running.get(record.payment_id)
        if task is None:
            task = asyncio.create_task(self._drive_safely(record), name=f"drive {record.payment_id}")
            self._running[record.payment_id] = task
            task.add_done_callback(lambda _: self._running.pop(record.payment_id, None))
        return task

    async def look_again(self, confirmed: Sequence[PaymentRecord]) -> None:
        """Look whether the blocks of confirmed payments still stand, until they are final; drive those whose is gone.

        Going back to `broadcast` frees nothing and sends the same bytes: a node that lies can cost a look, no money.
        """
        now = self.monotonic()
        due = [
            r
            for r in confirmed
            if self._may_vanish(r) and now - self._looked.get(r.payment_id, -LOOK_SECONDS) >= LOOK_SECONDS
        ]
        for record in due[:LOOKS_AT_ONCE]:
            self._looked[record.payment_id] = now
            if await self._stands(record):
                self._missed.pop(record.payment_id, None)
                continue
            self._missed[record.payment_id] += 1
            if self._missed[record.payment_id] >= MISSED_MAX:
                del self._missed[record.payment_id]
                await self.ledger.reorg(record.payment_id)
                self.start(record._replace(state=State.BROADCAST, block_number=None))
        ids = {record.payment_id for record in confirmed}
        self._final &= ids
        self._looked = {payment_id: at for payment_id, at in self._looked.items() if payment_id in ids}

    def _may_vanish(self, record: PaymentRecord) -> bool:
        """Return whether a chain confirmed the payment in a block that is not known to be final."""
        waits = self.settings.registry.chain(record.intent.chain).confirmations != FINALIZED
        return waits and record.block_number is not None and record.payment_id not in self._final

    async def _stands(self, record: PaymentRecord) -> bool:
        """Return whether the payment's receipt is there, or nobody answers; note when it is final."""
        chain = self.chains.by_id.get(ChainId(record.intent.chain))
        if chain is None:
            return True
        try:
            receipt = await chain.receipt(record.transaction_hash)
            if receipt is not None and await chain.is_final(receipt, confirmations=FINALIZED):
                self._final.add(record.payment_id)
        except OutsideError as error:
            log.warning("payment %s: its block was not looked at: %s", record.payment_id, error.message)
            return True
        return receipt is not None

    async def stop(self) -> None:
        """Stop driving; what is durable stays and the next start goes on from there."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive_safely(self, record: PaymentRecord) -> PaymentRecord | None:
        try:
            return await self.drive(record)
        except WalletError as error:  # it is approved and stays under way: an error would make the model send it again
            log.warning("payment %s waits: %s %s", record.payment_id, error.code, error.message)
            return None

    async def drive(self, record: PaymentRecord) -> PaymentRecord | None:
        """Take the payment as far as it goes; return it confirmed, or None when it ended or waits otherwise.

        Raises:
            OutsideError: When ledger or signer cannot be reached; the payment stays where it is.
        """
        sealed = await self._sealed(record)
        if isinstance(sealed, GateRefusal):
            return None
        current: PaymentRecord | None
        if sealed is None:
            current = await self.ledger.payment(agent_id="", payment_id=record.payment_id)
        else:
            signed = await self._sign(sealed)
            current = record._replace(
                state=State.SIGNED,
                nonce=signed.nonce,
                signed=signed.raw,
                transaction_hash=signed.transaction_hash,
            )
        if current is None or not current.signed or current.state not in HELD:
            return None
        return await self._watch(current)

    async def _sealed(self, record: PaymentRecord) -> Sealed | GateRefusal | None:
        if record.state is State.RESERVED:
            return await self.ledger.claim(record.payment_id, self.build)
        if record.state is State.SIGNING:
            return await self.ledger.sealed(record.payment_id)
        return None

    async def _sign(self, sealed: Sealed) -> Signed:
        """The key, no lock held; then Gate 2 again, on the bytes that came back; then durable."""
        signed = check_signed(sealed, await self.signer.sign(sealed))
        if isinstance(signed, GateRefusal):
            await self.ledger.reject_signed(sealed.payment_id, signed)
            raise OutsideError(ReasonCode.SIGNER_UNAVAILABLE, "The signer returned other bytes than were sealed.")
        await self.ledger.store_signed(signed)
        return signed

    async def _watch(self, record: PaymentRecord) -> PaymentRecord | None:
        """The same bytes until the chain proves what became of them (Gate 3)."""
        chain = self.chains.by_id.get(ChainId(record.intent.chain))
        if chain is None:
            raise OutsideError(ReasonCode.NODE_UNAVAILABLE, "No node is configured for the payment's chain.")
        return await Watch(self.ledger, chain, self.settings, self.monotonic, record, self._raise_fee).run()

    async def _raise_fee(self, payment_id: str) -> Attempt | None:
        """Seal the same payment for a higher fee, sign it, and make it durable; None when none may be made now."""
        sealed = await self.ledger.claim_replacement(payment_id, self.rebuild)
        if sealed is None:
            return None
        signed = check_signed(sealed, await self.signer.sign(sealed))
        if isinstance(signed, GateRefusal):
            await self.ledger.reject_signed(payment_id, signed)
            raise OutsideError(ReasonCode.SIGNER_UNAVAILABLE, "The signer returned other bytes than were sealed.")
        await self.ledger.store_replacement(signed, sealed)
        return Attempt(transaction_hash=signed.transaction_hash, signed=signed.raw)
