"""Is it the right answer? Gate 1 and a second gate written independently must agree on every generated payment."""

import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import TypeVar

from mcp_wallet.core.compile import CompiledPolicy, compile_policy
from mcp_wallet.core.decision import NO_FACTS, Anomaly, Counters, Decision, Facts, Outcome
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy import load_policy
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.policy_language import GROUPS, Match
from mcp_wallet.core.resolve import resolve_policy
from mcp_wallet.core.settings import ChainSettings, Settings
from mcp_wallet.core.windows import Windows
from tests.model.generator import ASSETS, BASE, BOOK, LOCAL, REGISTRY, STARTS_MS, Generator, Source
from tests.model.naive_gate import Answer, NaiveGate, Past, World, is_within
from tests.promises import promise

T = TypeVar("T")
Gate = Callable[[CompiledPolicy, PaymentIntent, Counters, Facts, int], Decision]

CASES_MIN = 100_000
EACH_MIN = 1_000
PAYMENTS_PER_POLICY = 200
FEE_CAP_WEI, DAY_CAP_WEI = 1_000, 5_000
SETTINGS = Settings(
    document={},
    version="1",
    org_id="org",
    environment="test",
    registry=REGISTRY,
    book=BOOK,
    chains={
        c.chain_id: ChainSettings(
            chain_id=c.chain_id, nodes=(), max_fee_wei=FEE_CAP_WEI, max_fee_per_day_wei=DAY_CAP_WEI
        )
        for c in (BASE, LOCAL)
    },
)
WORLD = World(
    chains={c.name: c.chain_id for c in (BASE, LOCAL)},
    assets={a.asset_id: (a.symbol, a.decimals) for a in ASSETS},
    payees={p.name: (p.address, p.added_at_ms) for p in BOOK.payees},
    fee_caps={c.chain_id: (FEE_CAP_WEI, DAY_CAP_WEI) for c in (BASE, LOCAL)},
    pending_max=SETTINGS.pending_max,
)


FEATURES = {
    *(f"rule {effect}" for effect in ("allow", "deny", "requireApproval")),
    *(f"part {part}" for part in Match.model_fields),
    *(f"group {name}" for name in (*GROUPS, "nothing")),
    *(f"window {kind}" for kind in ("rolling", "lifetime", "calendar day", "calendar week", "calendar month")),
    *("maxAmount", "maxCount", "maxDistinctRecipients"),
    *(f"policy {part}" for part in ("cooldown", "newRecipientHold", "validity", "anomaly")),
}
"""What must have had a say often enough."""


@dataclass
class TwoGates:
    """Both gates over one policy and one past; what the first admits is held, later confirmed or given back."""

    source: Source
    policy: CompiledPolicy
    random: Random
    windows: Windows = field(default_factory=Windows)
    past: list[Past] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.naive = NaiveGate(self.source, WORLD)

    def step(self, payment: Payment) -> Decision:
        """Decide one payment twice, compare, and carry on as the first gate said."""
        facts, counters = self.facts(payment), self.counters(payment)
        first = decide(self.policy, intent_of(payment), counters, facts, payment.at_ms)
        second = self.naive.decide(payment, self.past, counters, facts, payment.at_ms)
        assert self.answer_of(first, payment) == second, f"{json.dumps(self.source)}\n{payment}\n{counters}\n{facts}"
        self.seen.update(self.features(payment))
        self.hold(payment, first)
        self.settle()
        return first

    def take(self, payment: Payment, gate: Gate) -> None:
        """Carry on as another gate says, without comparing."""
        self.hold(payment, gate(self.policy, intent_of(payment), self.counters(payment), NO_FACTS, payment.at_ms))

    def hold(self, payment: Payment, decision: Decision) -> None:
        if decision.outcome is not Outcome.DENY:
            self.windows.hold(str(len(self.past)), payment)
            self.past.append(Past(payment))

    def answer_of(self, decision: Decision, payment: Payment) -> Answer:
        """Return the first gate's decision in the second one's terms."""
        scale = 10 ** WORLD.assets[payment.asset][1]
        in_amounts = {limit["id"] for limit in self.source["limits"] if "maxAmount" in limit}
        return Answer(
            outcome=str(decision.outcome),
            codes=frozenset(str(code) for code in decision.codes),
            remaining={k: Fraction(v, scale if k in in_amounts else 1) for k, v in decision.remaining.items()},
        )

    def features(self, payment: Payment) -> Iterator[str]:
        """Yield what had a say: rules and limits that match, their kinds, and the parts of all that were looked at."""
        for rule in self.source["rules"]:
            yield from (f"part {part}" for part in rule["match"])
            if not self.naive.mismatches(rule["match"], payment):
                yield f"rule {rule['effect']}"
        for limit in self.source["limits"]:
            if not self.naive.mismatches(limit["match"], payment):
                yield f"window {next(iter(limit['window']))} {limit['window'].get('calendar', '')}".rstrip()
                yield from (f"group {name}" for name in limit["groupBy"] or ["nothing"])
                yield from (part for part in ("maxAmount", "maxCount", "maxDistinctRecipients") if part in limit)
        yield from (
            f"policy {part}" for part in ("cooldown", "newRecipientHold", "validity", "anomaly") if part in self.source
        )

    def most_in_any_window(self) -> None:
        """Hold every window that ends with a payment, and every calendar period, to each limit on amounts or counts."""
        kept = [p.payment for p in self.past if p.counts]
        for limit in self.source["limits"]:
            counted = [p for p in kept if not self.naive.mismatches(limit["match"], p)]
            for last in counted:
                group = self.naive.group(limit, last)
                inside = [
                    p
                    for p in counted
                    if p.at_ms <= last.at_ms
                    and self.naive.group(limit, p) == group
                    and is_within(limit["window"], p.at_ms, last.at_ms)
                ]
                if "maxAmount" in limit:
                    assert sum((self.naive.human(p) for p in inside), Fraction(0)) <= Fraction(limit["maxAmount"])
                assert len(inside) <= limit.get("maxCount", len(inside))
                assert len({p.to for p in inside}) <= limit.get("maxDistinctRecipients", len(inside))

    def settle(self) -> None:
        """Confirm or give back some payment of the past."""
        if not self.past or self.random.random() < 0.4:
            return
        index = self.random.randrange(len(self.past))
        if self.random.random() < 0.5:
            self.windows.confirm(str(index))
        else:
            self.windows.release(str(index))
            self.past[index].counts = False

    def counters(self, payment: Payment) -> Counters:
        """Return what a ledger would know; now and then it knows something bad."""
        last = [
            p.payment.at_ms
            for p in self.past
            if p.counts and (p.payment.agent, p.payment.to) == (payment.agent, payment.to)
        ]
        imitated = BOOK.imitated_by(payment.to)
        rare = self.rarely
        return Counters(
            uses=tuple(self.windows.use(limit, payment, payment.at_ms) for limit in self.policy.limits_for(payment)),
            frozen_by=rare(("agent",), ()),
            last_payment_ms=max(last, default=None),
            last_event_ms=payment.at_ms - rare(3_600_001, 0),
            wall_ms=payment.at_ms - rare(self.random.choice([2_000, 2_001]), 0),
            known_since_ms=self.policy.known_since(payment.to),
            imitates=imitated.name if imitated else "",
            ledger_nonce=rare(7, None),
            pending=rare(5, 4),
            halted=rare("ROLLBACK_DETECTED", ""),
            duplicate=rare("DUPLICATE_SUSPECTED", ""),
            fees_today_wei=rare(4_900, 0),
            anomalies=tuple(Anomaly(code, 2, 1) for code in self.policy.anomaly if self.random.random() < 0.05),
        )

    def facts(self, payment: Payment) -> Facts:
        """Return what a node would say; half of the time nothing was asked."""
        if self.random.random() < 0.5:
            return NO_FACTS
        rare = self.rarely
        native_wei = payment.amount_units if "/slip44:" in payment.asset else 0
        return Facts(
            source="node:model",
            block_time_ms=rare(None, payment.at_ms - rare(self.random.choice([300_000, 300_001]), 0)),
            account_nonce=rare(8, 7),
            asset_balance_units=rare(payment.amount_units - 1, payment.amount_units),
            native_balance_wei=native_wei + rare(99, 100),
            gas_limit=rare(101, 10),
            max_fee_wei=rare(100, 10),
            simulation_revert=rare("paused", ""),
        )

    def rarely(self, odd: T, usual: T) -> T:
        """Return the odd value one time in a hundred."""
        return odd if self.random.random() < 0.01 else usual


def compiled(source: Source) -> CompiledPolicy:
    """Return the policy by the way that every policy takes."""
    policy = load_policy(json.dumps(source), name="model.json", registry=REGISTRY, book=BOOK)
    document = resolve_policy(policy, registry=REGISTRY, book=BOOK, read_list=lambda _: "")
    return compile_policy(document, version="1", settings=SETTINGS)


def intent_of(payment: Payment) -> PaymentIntent:
    """Return the intent that this payment comes from."""
    return PaymentIntent(
        version="1",
        org_id="org",
        agent_id=payment.agent,
        intent_id="int_model",
        operation=payment.operation,
        chain=payment.chain,
        asset=payment.asset,
        sender="0x" + "5e" * 20,
        to=payment.to,
        amount=str(payment.amount_units),
        reference="",
        category=payment.category,
        memo_hash="",
        blind="",
    )


@promise("second-gate")
@promise("no-overspend")
def test_both_gates_agree_on_every_generated_payment():
    seed = 20_261_123 if os.environ.get("CI") else secrets.randbits(32)
    random, cases, unloadable, outcomes, seen = Random(seed), 0, 0, dict.fromkeys(Outcome, 0), Counter[str]()
    print(f"seed {seed}")  # noqa: T201  what a failure needs to be seen again
    while cases < CASES_MIN:
        source = Generator(random).policy()
        try:
            policy = compiled(source)
        except OwnerError:
            unloadable += 1
            continue
        gates, at_ms = TwoGates(source, policy, random, seen=seen), random.choice(STARTS_MS)
        # On the half-hour grid payments stand exactly on the edges of windows; between them, anywhere near.
        steps = random.choice([(0, 1_800_000), (0, 1, 999, 60_000, 1_800_000), (0, 3_600_000, 40_000_000)])
        for _ in range(PAYMENTS_PER_POLICY):
            at_ms += random.choice(steps)
            outcomes[gates.step(Generator(random).payment(at_ms)).outcome] += 1
            cases += 1
        gates.most_in_any_window()
    print(f"{cases} payments, {outcomes}, {unloadable} policies that did not load")  # noqa: T201
    print("\n".join(f"{count:8} {feature}" for feature, count in sorted(seen.items())))  # noqa: T201
    assert min(outcomes.values()) > CASES_MIN // 100, "a gate that always says the same proves nothing"
    assert seen.keys() >= FEATURES
    assert min(seen.values()) >= EACH_MIN
