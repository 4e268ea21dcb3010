"""The simulated world of one seed: clients ask, servers die, nodes lie, blocks come and go; at the end all is judged.

A step is a ledger transaction, a node's question or a signature of any server, or one act of the world itself.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.contract.results import PaymentResult
from mcp_wallet.core.building import build_payment
from mcp_wallet.core.errors import WalletError
from mcp_wallet.core.intent import PaymentRequest
from mcp_wallet.core.local_key import LocalKey
from mcp_wallet.payments.anchoring import Notary
from mcp_wallet.payments.wallet import Wallet
from mcp_wallet.ports import Builder
from tests.sim import checkers
from tests.sim.chain import BASE_FEE_WEI, GWEI, SimChain
from tests.sim.checkers import Budget, Row, Told
from tests.sim.loop import run_virtually
from tests.sim.node import Lie, Mood
from tests.sim.server import CHAIN, Fate, Place, SimAnchor, SimServer, adopt_tasks
from tests.worlds import NOW_MS, OPERATOR, LedgerWorld, ledger_world, settings

log = logging.getLogger(__name__)

KEY = LocalKey(b"\x11" * 32)

POLICY = """
version: 1
id: refunds
disclosure: full
rules:
  - id: refund-usdc
    effect: allow
    match: {chains: [base], assets: [usdc], recipients: [alice, bob]}
    perTransaction: {max: "9.00"}
limits:
  - {id: minutes, match: {assets: [usdc]}, maxAmount: "100.00", window: {rolling: 5m}, groupBy: [agent]}
  - {id: hour, match: {assets: [usdc]}, maxAmount: "700.00", window: {rolling: 1h}}
"""
BUDGETS = (Budget(300_000, 100_000_000, by_agent=True), Budget(3_600_000, 700_000_000, by_agent=False))
SERVERS = 3
CALLS_AT_ONCE = 6
NEW_PAYMENTS = 55
"""Of a hundred calls, how many ask for something new; the others repeat."""
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a world's ledger stands: a commit a step, and the disk is not what is tested."""
REST_SECONDS_MAX = 3600


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a world is made of; the planted bugs of the tests change one part each.

    Args:
        deaths: Of 100,000 steps, at how many a server dies.
        lies: Whether the second node lies at times.
        deep: Whether reorganisations take confirmed blocks away too.
        reverts: How many transactions of a thousand the chain reverts.
        liar: Which node tells `lie` all the time, until the world comes to rest; -1 for none.
    """

    seed: int
    steps: int
    deaths: int = 300
    lies: bool = True
    deep: bool = True
    reverts: int = 0
    liar: int = -1
    lie: Lie = Lie.NONE
    ledger: type[SqliteLedger] = SqliteLedger
    build: Builder = build_payment


@dataclass
class Verdict:
    """What the checkers found."""

    seed: int
    steps: int
    crashes: int
    events: int
    paid: int
    told: int = 0
    history: str = ""
    violations: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not any(self.violations.values())

    def document(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "steps": self.steps,
            "crashes": self.crashes,
            "events": self.events,
            "paid": self.paid,
            "history": self.history[:16],
            "violations": {name: found[:10] for name, found in self.violations.items() if found},
        }


class World:
    """One history."""

    def __init__(self, recipe: Recipe, home: LedgerWorld) -> None:
        self.recipe, self.home, self.random = recipe, home, Random(recipe.seed)
        self.fate = Fate(Random(recipe.seed + 1), deaths=recipe.deaths)
        self.servers: list[SimServer | None] = [None] * SERVERS
        self.skews_ms = [0] * SERVERS
        self.moods = [Mood(), Mood()]
        if recipe.liar >= 0:
            self.moods[recipe.liar].lie = recipe.lie
        self.told: list[Told] = []
        self.asked: list[PaymentRequest] = []
        self.crashes = 0
        self.calls: set[asyncio.Task[None]] = set()

    # -- the whole of it -----------------------------------------------------------------------------------------

    async def run(self) -> Verdict:
        """Live until the steps are used up, come to rest, and judge."""
        self._create()
        while self.fate.steps < self.recipe.steps:
            self.fate.steps += 1
            await asyncio.sleep(self.random.randrange(1, 400) / 1000)
            self._act()
        await self._rest()
        return await self._judge()

    def _create(self) -> None:
        key = KEY
        log_key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
        public = log_key.public_key().public_bytes_raw()
        recipe, token = self.recipe, self.home.registry.asset(CHAIN, "usdc").token
        assert token is not None
        self.chain = SimChain(Random(self.recipe.seed + 2), key.address, token, NOW_MS // 1000, reverts=recipe.reverts)
        self.place = Place(
            path=self.home.path,
            home_key=self.home.home_key,
            key=key,
            settings=self.home.settings,
            notary=Notary("mcp-wallet/org_test/log1", log_key.sign, public),
            anchor=SimAnchor(),
            chain=self.chain,
            moods=self.moods,
            fate=self.fate,
            build=self.recipe.build,
        )

    def _clock(self, number: int) -> Callable[[], int]:
        loop = asyncio.get_running_loop()
        return lambda: NOW_MS + int(loop.time() * 1000) + self.skews_ms[number]

    # -- acts of the world ---------------------------------------------------------------------------------------

    def _act(self) -> None:
        acts: list[tuple[int, Callable[[], None]]] = [
            (60, self._call),
            (40, self._mine),
            (12, self._restart),
            (4, self._kill),
            (4, self._reorganise),
            (2, self._forget_pool),
            (3, self._move_clock),
            (6, self._change_mood),
            (2, self._change_fees),
            (2, self._switch),
        ]
        chosen = self.random.choices([act for _, act in acts], [weight for weight, _ in acts])[0]
        chosen()

    def _alive(self) -> list[SimServer]:
        for number, server in enumerate(self.servers):
            if server is not None and not server.alive:
                self.servers[number] = None
                self.crashes += 1
        return [server for server in self.servers if server is not None]

    def _restart(self) -> None:
        self._alive()
        gone = [number for number, server in enumerate(self.servers) if server is None]
        if gone:
            number = self.random.choice(gone)
            server = SimServer(self.place, self._clock(number), self.recipe.ledger)
            server.run(_started(server.wallet))
            self.servers[number] = server

    def _kill(self) -> None:
        alive = self._alive()
        if alive:
            self.random.choice(alive).crash()

    def _mine(self) -> None:
        self.chain.mine(NOW_MS // 1000 + int(asyncio.get_running_loop().time()))

    def _reorganise(self) -> None:
        depth = self.random.randrange(1, 8 if self.recipe.deep else 3)
        self.chain.reorganise(depth, forget=self.random.random() < 0.3)

    def _forget_pool(self) -> None:
        self.chain.pool.clear()

    def _move_clock(self) -> None:
        number = self.random.randrange(SERVERS)
        self.skews_ms[number] = self.random.choice([0, 0, 1_500, -1_500, 400, -9_000])

    def _change_mood(self) -> None:
        for number, mood in enumerate(self.moods):
            bad = self.random.random() < 0.4
            mood.deaf = bad and self.random.random() < 0.3
            mood.lag = self.random.randrange(4) if bad else 0
            mood.lost = self.random.choice([0, 30, 200]) if bad else 0
            mood.unanswered = self.random.choice([0, 30, 200]) if bad else 0
            lying = bad and number == 1 and self.recipe.lies
            mood.lie = self.random.choice(list(Lie)) if lying else Lie.NONE
            if number == self.recipe.liar:
                mood.lie = self.recipe.lie

    def _change_fees(self) -> None:
        self.chain.base_fee_wei = self.random.choice([BASE_FEE_WEI, BASE_FEE_WEI, GWEI * 2, GWEI * 4])

    def _switch(self) -> None:
        """Freeze or release one agent's payments through a living server."""
        alive = self._alive()
        if alive:
            alive[0].run(_switched(alive[0].ledger, self.home.agent.agent_id))

    # -- clients -------------------------------------------------------------------------------------------------

    def _call(self) -> None:
        alive = self._alive()
        if not alive or len(self.calls) >= CALLS_AT_ONCE:
            return
        if not self.asked or self.random.randrange(100) < NEW_PAYMENTS:
            request = self._new_request(len(self.asked))
            self.asked.append(request)
        else:
            request = self.asked[-self.random.randrange(1, min(40, len(self.asked)) + 1)]
        task = asyncio.get_running_loop().create_task(self._ask(self.random.choice(alive), request))
        self.calls.add(task)
        task.add_done_callback(self.calls.discard)

    def _new_request(self, number: int) -> PaymentRequest:
        units = self.random.randrange(1, 8) * 1_000_000 + number
        amount = f"{units // 10**6}.{units % 10**6:06d}"
        to = self.random.choice(["alice", "bob", "alice", "bob", "mallory"])
        by_key = self.random.random() < 0.2
        return PaymentRequest(
            to=to,
            amount=amount,
            reference="" if by_key else f"invoice {number}",
            idempotency_key=f"key-{number}" if by_key else "",
        )

    async def _ask(self, server: SimServer, request: PaymentRequest) -> None:
        desk = server.wallet.desk(self.home.api_key)
        task = server.run(desk.send_payment(request))
        await asyncio.wait({task})
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._note(request, task.result())
        elif not isinstance(error, WalletError):
            raise error

    def _note(self, request: PaymentRequest, answer: PaymentResult) -> None:
        reference = str(request.reference or request.idempotency_key)
        self.told.append(Told(reference, answer.payment_id, answer.status, answer.checkpoint))

    # -- the end -------------------------------------------------------------------------------------------------

    async def _rest(self) -> None:
        """Heal everything; wait until nothing is under way, or for hours."""
        self.fate.deaths, self.chain.reverts, self.chain.base_fee_wei = 0, 0, BASE_FEE_WEI
        for mood in self.moods:
            mood.heal()
        self.skews_ms[:] = [0] * SERVERS
        for server in self._alive():
            server.crash()
        self._alive()
        self._restart()
        (server,) = self._alive()
        ledger = server.ledger
        await ledger.unfreeze("agent", self.home.agent.agent_id, reason="rest", actor=OPERATOR)
        await ledger.unfreeze("chain", CHAIN, reason="rest", actor=OPERATOR)
        loop = asyncio.get_running_loop()
        until = loop.time() + REST_SECONDS_MAX
        while loop.time() < until:
            for _ in range(20):
                await asyncio.sleep(1)
                self._mine()
            await ledger.expire_overdue()
            if not await ledger.in_flight():
                break

    async def _judge(self) -> Verdict:
        (server,) = self._alive()
        ledger = server.ledger
        records = await ledger.payments(limit=1_000_000)
        next_nonce = ledger._state.books.next_nonce.get(CHAIN, 0)
        await server.wallet._anchoring.publish_now()
        await server.wallet.close()
        rows = [
            Row(r.payment_id, r.intent.reference, r.intent.to, r.intent.amount_units, str(r.state), r.transaction_hash)
            for r in records
        ]
        trail = SqliteTrail(self.place.path, key=None)
        events = [orjson.loads(body) for _, _, body in trail.rows()]
        transfers, vkey = self.chain.transfers, self.place.notary.verifier_key
        verdict = Verdict(self.recipe.seed, self.fate.steps, self.crashes, len(events), len(transfers))
        verdict.told = len(self.told)
        told = "\n".join(f"{e['timestamp']} {e['eventType']} {e.get('intentFingerprint', '')}" for e in events)
        verdict.history = sha256(told.encode()).hexdigest()
        verdict.violations = {
            "double_payments": checkers.paid_at_most_once(transfers),
            "effects": checkers.effects_fit(rows, transfers),
            "lost_acknowledgements": checkers.nothing_acknowledged_is_lost(self.told, rows, ()),
            "limits_exceeded": checkers.within_limits(events, BUDGETS),
            "trail_incomplete": checkers.trail_is_complete(events, rows),
            "trail_errors": checkers.trail_holds(trail, self.place.anchor.notes, vkey)
            + checkers.checkpoints_hold(self.told, trail, vkey),
            "unrest": checkers.at_rest(rows, ledger_nonce=next_nonce, account_nonce=self.chain.newest.nonce),
        }
        trail.close()
        return verdict


def simulate(recipe: Recipe, folder: Path) -> Verdict:
    """Return what became of one seed; the folder must be empty."""
    home = asyncio.run(_make_home(folder / "ledger.db"))

    async def history() -> Verdict:
        asyncio.get_running_loop().set_task_factory(adopt_tasks)
        return await World(recipe, home).run()

    verdict, unheard = run_virtually(history)
    verdict.violations["accidents"] = [f"{type(error).__name__}: {error}" for error in unheard]
    return verdict


async def _make_home(path: Path) -> LedgerWorld:
    """Return a closed home; it is made in real time, before the world begins."""
    base = {
        "nodes": ["http://127.0.0.1:1", "http://127.0.0.1:2"],
        "confirmations": 3,
        "maxFeeWei": str(10**16),
        "maxFeePerDayWei": str(10**19),
    }
    home = await ledger_world(
        path,
        policy=POLICY,
        clock=lambda: NOW_MS,
        sender=KEY.address,
        home_key=b"\x22" * 32,
        active=settings({"base": base}, callsPerMinute=1_000_000, denialsPerHour=1_000_000),
    )
    await home.ledger.close()
    return home


async def _started(wallet: Wallet) -> None:
    """Begin recovery; a start that fails is tried again by the next payment."""
    try:
        await wallet.start()
    except WalletError as error:
        log.info("start: %s", error.message)


async def _switched(ledger: SqliteLedger, agent: str) -> None:
    """Engage the kill switch, or release it, and what a lie has frozen."""
    try:
        await ledger.unfreeze("chain", CHAIN, reason="the world", actor=OPERATOR)
        if not await ledger.unfreeze("agent", agent, reason="the world", actor=OPERATOR):
            await ledger.freeze("agent", agent, reason="the world", actor=OPERATOR)
    except WalletError as error:
        log.info("switch: %s", error.message)
