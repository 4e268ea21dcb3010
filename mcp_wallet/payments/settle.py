"""From an approved payment to its end: sign, send, watch, with nothing lost and nothing sent twice.

`drive` is the same for a fresh payment and after a restart: it looks at the durable state and takes the next step. Two
processes may drive one payment: each step is a compare-and-set in the ledger, the signature is deterministic, and the
bytes that leave are always the stored ones.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.core.building import build_payment
from mcp_wallet.core.decision import Reason
from mcp_wallet.core.errors import OutsideError, WalletError
from mcp_wallet.core.identifiers import AssetId, ChainId
from mcp_wallet.core.lifecycle import HELD, State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settlement_gate import Receipt, check_settlement
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, Signed, check_signed
from mcp_wallet.ports import Builder, ChainPort, Chains, Ledger, PaymentRecord, Sent, Signer

log = logging.getLogger(__name__)

UNKNOWN_AFTER_SECONDS: Final = 60.0
RESEND_SECONDS: Final = 15.0
POLL_SECONDS_MIN: Final = 0.02
POLL_SECONDS_MAX: Final = 2.0
POLL_GROWTH: Final = 1.4


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
    _running: dict[str, asyncio.Task[PaymentRecord | None]] = field(default_factory=dict)

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
        return await self._send_and_watch(current)

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

    async def _send_and_watch(self, record: PaymentRecord) -> PaymentRecord | None:
        """The same bytes until a final receipt proves their effect (Gate 3)."""
        chain = self.chains.by_id.get(ChainId(record.intent.chain))
        if chain is None:
            raise OutsideError(ReasonCode.NODE_UNAVAILABLE, "No node is configured for the payment's chain.")
        began, sent_at, pause = self.monotonic(), -RESEND_SECONDS, POLL_SECONDS_MIN
        known = record.state
        receipt = None if known is State.SIGNED else await _receipt(chain, record.transaction_hash)
        while True:
            now = self.monotonic()
            taken = False
            if receipt is None and now - sent_at >= RESEND_SECONDS:
                sent_at, taken = now, await self._send(record, chain)
                receipt = await _receipt(chain, record.transaction_hash)
            if receipt is not None and (ended := await self._settle(record, chain, receipt)) is not None:
                return ended if ended.state is State.CONFIRMED else None
            known = await self._mark(record, known, taken=taken, overdue=now - began >= UNKNOWN_AFTER_SECONDS)
            await asyncio.sleep(pause)
            pause = min(pause * POLL_GROWTH, POLL_SECONDS_MAX)
            receipt = await _receipt(chain, record.transaction_hash)

    async def _send(self, record: PaymentRecord, chain: ChainPort) -> bool:
        """Hand the bytes over once; return whether a node says that it has them. Anything else proves nothing."""
        answer = await chain.send(record.signed)
        if answer in (Sent.ACCEPTED, Sent.KNOWN):
            return True
        log.warning(
            "payment %s: the node says %s; the outcome is unknown, the same bytes stay", record.payment_id, answer
        )
        return False

    async def _mark(self, record: PaymentRecord, known: State, *, taken: bool, overdue: bool) -> State:
        """Record what is new: a node has the bytes, or nobody has seen them for too long."""
        if taken and known is not State.BROADCAST:
            await self.ledger.mark_broadcast(record.payment_id)
            return State.BROADCAST
        if overdue and not taken and known is not State.UNKNOWN:
            await self.ledger.mark_unknown(record.payment_id)
            return State.UNKNOWN
        return known

    async def _settle(self, record: PaymentRecord, chain: ChainPort, receipt: Receipt) -> PaymentRecord | None:
        """Return the payment when the receipt ends the watch: effect as approved and final, or a proven failure."""
        registry: Registry = self.settings.registry
        asset = registry.asset_by_id(AssetId(record.intent.asset))
        settlement = check_settlement(
            intent=record.intent,
            asset=asset,
            transaction_hash=record.transaction_hash,
            receipt=receipt,
            registry=registry,
        )
        confirmations = registry.chain(record.intent.chain).confirmations
        if settlement.outcome == "mismatch":
            await self.ledger.settlement_mismatch(record.payment_id, receipt, settlement.observed)
            return record
        if not await _is_final(chain, receipt, confirmations):
            return None
        if settlement.outcome == "confirmed":
            await self.ledger.confirm(record.payment_id, receipt)
            return record._replace(state=State.CONFIRMED, block_number=receipt.block_number)
        await self._fail_with_evidence(record, receipt)
        return record

    async def _fail_with_evidence(self, record: PaymentRecord, receipt: Receipt) -> None:
        """A revert frees the budget only when one node's word is trusted; else people resolve it."""
        chain_settings = self.settings.chains.get(ChainId(record.intent.chain))
        if chain_settings is None or not chain_settings.trust_single_node:
            await self.ledger.mark_unknown(record.payment_id)
            return
        reason = Reason(code=ReasonCode.TRANSACTION_REVERTED, observed=f"block {receipt.block_number}")
        await self.ledger.fail(record.payment_id, reason, receipt)


async def _receipt(chain: ChainPort, transaction_hash: str) -> Receipt | None:
    """Return the receipt, or None also when nobody answers: silence proves nothing."""
    try:
        return await chain.receipt(transaction_hash)
    except OutsideError as error:
        log.warning("no receipt: %s", error.message)
        return None


async def _is_final(chain: ChainPort, receipt: Receipt, confirmations: int) -> bool:
    try:
        return await chain.is_final(receipt, confirmations=confirmations)
    except OutsideError as error:
        log.warning("finality is not known: %s", error.message)
        return False
