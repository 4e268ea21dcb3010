"""Further transactions of one payment under its one nonce: the same bytes but for higher fees. All hashes are kept.

Each is durable before it is signed, and its signed bytes before they can leave, as the first was. Row 0 is the first.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.adapters.sqlite.rows import counted_of, find_row
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.adapters.sqlite.trail import append_event
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.approval import Approval, Purpose
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, Signed, seal_replacement
from mcp_wallet.core.transaction import decode_unsigned
from mcp_wallet.ports import Attempt, Clock, PaymentRecord, Rebuilder

_REPLACEABLE: Final = frozenset({State.BROADCAST, State.UNKNOWN})


def most_wei(raw: Raw, record: PaymentRecord) -> int:
    """Return the most that the payment's newest transaction may cost."""
    row = raw.execute(
        "SELECT unsigned FROM attempt WHERE payment = ? ORDER BY number DESC LIMIT 1", (record.decision_sequence,)
    ).fetchone()
    if row is not None:
        return decode_unsigned(bytes(row[0])).fee_max_wei
    return 0 if record.approval is None else record.approval.gas_limit * record.approval.max_fee_wei


@dataclass(slots=True)
class Replacements:
    """Methods run on the connection's thread, inside a transaction."""

    raw: Raw
    state: LedgerState
    names: KeyedNames
    clock: Clock

    def attempts(self, payment_id: str) -> tuple[Attempt, ...]:
        """Return every signed transaction of a payment that was replaced, the first one first; else nothing."""
        row = find_row(self.raw, self.names, payment_id, self.state.decided)
        if row is None:
            return ()
        found = self.raw.execute(
            "SELECT transaction_hash, signed FROM attempt WHERE payment = ? AND signed IS NOT NULL ORDER BY number",
            (row.record.decision_sequence,),
        ).fetchall()
        return tuple(Attempt(transaction_hash=h, signed=bytes(signed)) for h, signed in found)

    def claim(self, payment_id: str, rebuild: Rebuilder) -> Sealed | None:
        """Return the sealed bytes of the next transaction; None when none may be signed now.

        That is so while a freeze covers the payment, when fees cannot be raised within the caps, or when it has ended.
        """
        row = find_row(self.raw, self.names, payment_id, self.state.decided)
        record = None if row is None else row.record
        if record is None or record.approval is None or record.nonce is None or record.state not in _REPLACEABLE:
            return None
        if self.state.books.frozen_by(counted_of(record)):
            return None
        number, original, waiting = self._newest(record)
        unsigned = waiting or rebuild(original)
        sealed = seal_replacement(
            approval=self._capped(record.approval, record),
            nonce=record.nonce,
            original=original,
            unsigned=unsigned,
        )
        if isinstance(sealed, GateRefusal):
            return None
        if not waiting:
            self._keep(record, number, sealed)
        return sealed

    def store_signed(self, signed: Signed, sealed: Sealed) -> None:
        """Make the signed bytes durable; storing the same again changes nothing."""
        row = find_row(self.raw, self.names, signed.payment_id, self.state.decided)
        if row is None:
            raise InvariantBroken("a payment that is not there was replaced")
        record = row.record
        cursor = self.raw.execute(
            "UPDATE attempt SET signed = ?, transaction_hash = ? WHERE payment = ? AND unsigned = ? AND signed IS NULL",
            (signed.raw, signed.transaction_hash, record.decision_sequence, sealed.unsigned),
        )
        if cursor.rowcount:
            payload: dict[str, Json] = {
                "transactionHash": signed.transaction_hash,
                "nonce": str(signed.nonce),
                "purpose": str(Purpose.REPLACE),
            }
            self._tell(record, EventType.TRANSACTION_REPLACED, payload)

    # -- parts -------------------------------------------------------------------------------------------------

    def _newest(self, record: PaymentRecord) -> tuple[int, bytes, bytes]:
        """Return the next number, the bytes that were signed last, and those that wait for their signature."""
        rows = self.raw.execute(
            "SELECT number, unsigned, signed FROM attempt WHERE payment = ? ORDER BY number DESC LIMIT 2",
            (record.decision_sequence,),
        ).fetchall()
        if not rows:
            return 1, record.unsigned, b""
        number, unsigned, signed = rows[0]
        if signed is None:
            return number, bytes(rows[1][1]), bytes(unsigned)
        return number + 1, bytes(unsigned), b""

    def _capped(self, approval: Approval, record: PaymentRecord) -> Approval:
        """Return the approval under the caps of now: of one transaction, and of what is left of the day's fees."""
        settings = self.state.control.settings
        found = settings.chains.get(approval.chain) if settings else None
        if found is None:
            return approval._replace(fee_cap_wei=0)
        newest_ms = self.state.books.last_event_ms
        now_ms = max(self.clock(), newest_ms)
        today_wei = self.state.books.fees.today_wei(approval.chain, now_ms, newest_ms=newest_ms)
        mine_wei = self.state.books.fees.held_wei(record.payment_id)
        left_wei = found.max_fee_per_day_wei - (today_wei - mine_wei)
        return approval._replace(fee_cap_wei=min(approval.fee_cap_wei, found.max_fee_wei, max(0, left_wei)))

    def _keep(self, record: PaymentRecord, number: int, sealed: Sealed) -> None:
        if number == 1:
            self._insert(record, 0, record.unsigned, record.signed, record.transaction_hash)
        self._insert(record, number, sealed.unsigned, None, None)
        payload: dict[str, Json] = {
            "fingerprint": sealed.fingerprint,
            "purpose": str(Purpose.REPLACE),
            "chain": sealed.chain,
            "nonce": str(sealed.nonce),
            "feeMaxWei": str(decode_unsigned(sealed.unsigned).fee_max_wei),
            "unsignedSha256": hashlib.sha256(sealed.unsigned).hexdigest(),
        }
        self._tell(record, EventType.GATE2_PASSED, payload)

    def _insert(
        self, record: PaymentRecord, number: int, unsigned: bytes, signed: bytes | None, digest: str | None
    ) -> None:
        self.raw.execute(
            "INSERT INTO attempt (payment, number, unsigned, signed, transaction_hash) VALUES (?, ?, ?, ?, ?)",
            (record.decision_sequence, number, unsigned, signed, digest),
        )

    def _tell(self, record: PaymentRecord, kind: EventType, payload: dict[str, Json]) -> None:
        append_event(
            self.state,
            kind,
            {"paymentId": record.payment_id, "intentFingerprint": record.fingerprint} | payload,
            at_ms=max(self.clock(), self.state.books.last_event_ms),
            agent_id=record.intent.agent_id,
        )
