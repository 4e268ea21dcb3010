"""Memory is a function of the trail: following it and reading it again come to the same."""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.core.anomaly import CODES
from mcp_wallet.core.books import Books
from mcp_wallet.core.building import build_payment
from mcp_wallet.core.decision import Reason
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.signing_gate import Sealed, Signed, check_signed
from mcp_wallet.ports import Approved
from tests.approved import KEY
from tests.trails import FACTS, receipt
from tests.worlds import (
    ALICE,
    BOB,
    LOCAL,
    OPERATOR,
    REFUND_POLICY,
    LedgerWorld,
    SteppedClock,
    ledger_world,
    payment,
    reopen,
)

LONG_MEMORY = (
    REFUND_POLICY
    + """
  - {id: ever, maxCount: 1000, window: {lifetime: true}}
  - {id: month, match: {assets: [usdc]}, maxAmount: "90000", window: {calendar: month, timezone: Europe/London}}
  - {id: nights, match: {hours: {start: "20:00", end: "06:00"}}, maxCount: 500, window: {rolling: 2w}}
"""
)
"""Windows that look further back than a week."""
WATCHING = REFUND_POLICY + "anomaly: {amount: deny, newRecipient: alert, velocity: requireApproval, probing: alert}\n"
STEPS = (
    "allow",
    "deny",
    "people",
    "replay",
    "claim",
    "sign",
    "confirm",
    "fail",
    "expire",
    "freeze",
    "unfreeze",
    "wait",
)


def known(books: Books, world: LedgerWorld) -> dict[str, Any]:
    """Return everything that a decision could ask of the books."""
    probe = payment(at_ms=books.last_event_ms)
    now_ms = books.last_event_ms
    probes = [probe._replace(amount_units=10**n, to=to) for n in (6, 8, 12) for to in (ALICE, BOB)]
    return {
        "time": now_ms,
        "uses": [books.windows.use(limit, probe, now_ms) for limit in world.policy.limits],
        "freezes": dict(books.freezes),
        "pending": {agent: n for agent, n in books.pending.items() if n},
        "nonces": dict(books.next_nonce),
        "fees": books.fees.today_wei(LOCAL, now_ms, newest_ms=now_ms),
        "last": books.last_admitted_ms(probe, since_ms=0),
        "denials": books.denials_since(probe.agent, now_ms - 3_600_000),
        "usual": [books.watch.found(p, CODES.values()) for p in probes] if books.watch else None,
        "content": books.same_content(probe, since_ms=now_ms - 600_000),
    }


async def seen(ledger: SqliteLedger, world: LedgerWorld) -> dict[str, Any]:
    await ledger.head()
    return known(ledger._state.books, world)


class Life:
    """Two connections on one file take steps in turn; a step that does not fit now does nothing."""

    def __init__(self, world: LedgerWorld, ledgers: tuple[SqliteLedger, SqliteLedger], clock: SteppedClock) -> None:
        self.world, self.ledgers, self.clock = world, ledgers, clock
        self.reserved: list[str] = []
        self.sealed: list[Sealed] = []
        self.signed: list[Signed] = []
        self.count = 0

    async def step(self, name: str, ledger: SqliteLedger) -> None:
        await getattr(self, name)(ledger)

    async def decide(self, ledger: SqliteLedger, **request: Any) -> None:
        world = self.world
        agent, _, _ = await ledger.authenticate(world.api_key)
        draft = parse_request(world.request(**request), agent=agent, registry=world.registry, book=world.book)
        decided = await ledger.decide_and_reserve(draft, FACTS)
        if isinstance(decided, Approved):
            self.reserved.append(decided.record.payment_id)

    async def allow(self, ledger: SqliteLedger) -> None:
        self.count += 1
        await self.decide(ledger, reference=f"r{self.count}", amount=f"{self.count}.00")

    async def deny(self, ledger: SqliteLedger) -> None:
        await self.decide(ledger, to="mallory", reference="r")

    async def people(self, ledger: SqliteLedger) -> None:
        self.count += 1
        await self.decide(ledger, reference=f"p{self.count}", amount="600.00")

    async def replay(self, ledger: SqliteLedger) -> None:
        await self.decide(ledger, reference="r1", amount="1.00")

    async def claim(self, ledger: SqliteLedger) -> None:
        if self.reserved:
            found = await ledger.claim(self.reserved.pop(0), build_payment)
            self.sealed += [found] if isinstance(found, Sealed) else []

    async def sign(self, ledger: SqliteLedger) -> None:
        if self.sealed:
            signed = check_signed(self.sealed[0], KEY.sign(self.sealed.pop(0)))
            assert isinstance(signed, Signed)
            await ledger.store_signed(signed)
            self.signed.append(signed)

    async def confirm(self, ledger: SqliteLedger) -> None:
        if self.signed:
            signed = self.signed.pop(0)
            await ledger.confirm(signed.payment_id, receipt(signed))

    async def fail(self, ledger: SqliteLedger) -> None:
        if self.signed:
            signed = self.signed.pop(0)
            reason = Reason(code=ReasonCode.TRANSACTION_REVERTED)
            await ledger.fail(signed.payment_id, reason, receipt(signed, status=0))

    async def expire(self, ledger: SqliteLedger) -> None:
        self.clock.advance(61_000)
        await ledger.expire_overdue()

    async def freeze(self, ledger: SqliteLedger) -> None:
        await ledger.freeze("recipient", str(ALICE), reason="drill", actor=OPERATOR)

    async def unfreeze(self, ledger: SqliteLedger) -> None:
        await ledger.unfreeze("recipient", str(ALICE), reason="over", actor=OPERATOR)

    async def wait(self, ledger: SqliteLedger) -> None:
        self.clock.advance(7 * 3_600_000 if self.count % 3 else 9 * 86_400_000)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    policy=st.sampled_from([REFUND_POLICY, LONG_MEMORY, WATCHING]),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.booleans()), max_size=25),
)
async def test_followed_memory_equals_what_a_restart_reads(
    tmp_path_factory, policy: str, steps: list[tuple[str, bool]]
):
    clock = SteppedClock()
    path: Path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    world = await ledger_world(path, policy=policy, clock=clock, sender=Address(KEY.address))
    other = await reopen(world, clock=clock)
    life = Life(world, (world.ledger, other), clock)
    try:
        for name, which in steps:
            await life.step(name, life.ledgers[which])
        fresh = await reopen(world, clock=clock)
        try:
            read = await seen(fresh, world)
        finally:
            await fresh.close()
        assert await seen(world.ledger, world) == read
        assert await seen(other, world) == read
        assert await world.ledger.head() == await other.head()
    finally:
        await world.ledger.close()
        await other.close()
