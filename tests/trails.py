"""Ledgers that have lived: payments of every fate, operators' acts, checkpoints in an anchor file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_wallet.adapters.anchors.file import FileAnchor
from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.control.audit.checkpoints import AnchorNotes
from mcp_wallet.control.audit.verify import VerifyReport, read_key, verify_trail
from mcp_wallet.core.building import build_payment
from mcp_wallet.core.decision import Facts, Reason
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settlement_gate import Receipt
from mcp_wallet.core.signing_gate import Sealed, Signed, check_signed
from mcp_wallet.payments.anchoring import Anchoring, Notary
from mcp_wallet.ports import Approved, Denied, Replayed
from tests.approved import KEY
from tests.worlds import MALLORY, OPERATOR, LedgerWorld, SteppedClock, ledger_world

LOG_KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
ORIGIN = "mcp-wallet/org_test/log1"
FACTS = Facts(
    source="node:local",
    block_time_ms=1_780_000_000_000,
    account_nonce=4,
    asset_balance_units=10**15,
    native_balance_wei=10**20,
    gas_limit=65_000,
    max_fee_wei=2_000_000_000,
    priority_fee_wei=1_000_000_000,
    simulation_revert="",
    recipient_code="none",
)


def notary(key: Ed25519PrivateKey = LOG_KEY) -> Notary:
    return Notary(ORIGIN, key.sign, key.public_key().public_bytes_raw())


VKEY = notary().verifier_key


async def decide(world: LedgerWorld, reference: str = "", **request: Any) -> Approved | Denied | Replayed:
    """Put a request before Gate 1 as the pipeline does: preview, facts, decision."""
    draft = parse_request(
        world.request(reference, **request),
        agent=world.agent,
        registry=world.registry,
        book=world.book,
    )
    return await world.ledger.preview(draft) or await world.ledger.decide_and_reserve(draft, FACTS)


async def sign(world: LedgerWorld, payment_id: str) -> Signed:
    """Take a reserved payment through Gate 2 and the key."""
    sealed = await world.ledger.claim(payment_id, build_payment)
    assert isinstance(sealed, Sealed)
    signed = check_signed(sealed, KEY.sign(sealed))
    assert isinstance(signed, Signed)
    await world.ledger.store_signed(signed)
    return signed


def receipt(signed: Signed, *, status: int = 1) -> Receipt:
    return Receipt(
        transaction_hash=signed.transaction_hash,
        status=status,
        block_number=12,
        block_hash="0x" + "bb" * 32,
        sender=str(KEY.address),
        to="",
        gas_used=50_000,
        effective_gas_price_wei=1_000_000_000,
        logs=(),
    )


async def pay(world: LedgerWorld, reference: str = "", **request: Any) -> str:
    """Pay to the end; return the payment id."""
    decided = await decide(world, reference, **request)
    assert isinstance(decided, Approved)
    payment_id = decided.record.payment_id
    signed = await sign(world, payment_id)
    await world.ledger.mark_broadcast(payment_id)
    await world.ledger.confirm(payment_id, receipt(signed))
    return payment_id


@dataclass(frozen=True)
class Lived:
    """A closed ledger with a past.

    Args:
        paid: A payment that was confirmed.
    """

    world: LedgerWorld
    anchor: Path
    paid: str

    @property
    def path(self) -> Path:
        return self.world.path

    def trail(self) -> SqliteTrail:
        return SqliteTrail(self.path, key=None)

    async def verify(self, *, vkey: str = VKEY) -> VerifyReport:
        """Verify as `audit verify` does."""
        notes = AnchorNotes(name="file", notes=await FileAnchor(self.anchor).history())
        trail = self.trail()
        try:
            return verify_trail(trail, [notes], key=read_key(vkey))
        finally:
            trail.close()


async def lived(folder: Path, *, denials_per_hour: int = 1_000) -> Lived:
    """Return a ledger with payments of every fate, anchored on the way and at the end."""
    clock = SteppedClock()
    world = await ledger_world(folder / "ledger.db", clock=clock, sender=KEY.address, denialsPerHour=denials_per_hour)
    anchor = folder / "state" / "checkpoints"
    anchoring = Anchoring(world.ledger, notary(), [FileAnchor(anchor)])
    await _live(world, clock)
    paid = await pay(world, "refund #1", amount="50.00", memo="sorry for the delay")
    clock.advance(1_500)
    await anchoring.publish_now()
    await _fail(world, clock)
    clock.advance(1_500)
    await anchoring.publish_now()
    await pay(world, "refund #3", amount="7.25")
    await anchoring.publish_now()
    await world.ledger.close()
    return Lived(world, anchor, paid)


async def _live(world: LedgerWorld, clock: SteppedClock) -> None:
    """Denials, replays, a freeze, an approval that nobody gave, a change of settings' neighbours."""
    assert isinstance(await decide(world, "r-mallory", to="mallory"), Denied)
    assert isinstance(await decide(world, "r-huge", amount="1000.01"), Denied)
    assert isinstance(await decide(world, "", to=str(MALLORY), idempotency_key="k-1"), Denied)
    clock.advance(10)
    assert isinstance(await decide(world, "", idempotency_key="k-2", amount="3.00"), Approved)
    assert isinstance(await decide(world, "", idempotency_key="k-2", amount="3.00"), Replayed)
    assert isinstance(await decide(world, "", idempotency_key="k-2", amount="4.00"), Denied)
    assert isinstance(await decide(world, "", idempotency_key="k-3", amount="3.00"), Denied)
    assert isinstance(await decide(world, "r-large", amount="600.00"), Denied)
    await world.ledger.freeze("recipient", str(world.book.by_name["bob"].address), reason="drill", actor=OPERATOR)
    assert isinstance(await decide(world, "r-bob", to="bob"), Denied)
    assert await world.ledger.unfreeze(
        "recipient", str(world.book.by_name["bob"].address), reason="drill over", actor=OPERATOR
    )
    clock.advance(-1_000)
    assert isinstance(await decide(world, "r-bob", to="bob"), Approved)
    clock.advance(62_000)
    assert await world.ledger.expire_overdue() == 2


async def _fail(world: LedgerWorld, clock: SteppedClock) -> None:
    """A payment that reverts, is given back, and is asked for again."""
    decided = await decide(world, "refund #2", amount="20.00", to="bob")
    assert isinstance(decided, Approved)
    signed = await sign(world, decided.record.payment_id)
    await world.ledger.mark_unknown(decided.record.payment_id)
    reason = Reason(code=ReasonCode.TRANSACTION_REVERTED, observed="block 12")
    await world.ledger.fail(decided.record.payment_id, reason, receipt(signed, status=0))
    clock.advance(5)
    again = await decide(world, "refund #2", amount="20.00", to="bob")
    assert isinstance(again, Approved)
    await world.ledger.record("service_stopped", {}, actor=OPERATOR)
