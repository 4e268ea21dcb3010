"""`gate_pure`: parse, decide and fingerprint against canonical bytes and sha256 of the same intent."""

import hashlib
import time
from collections.abc import Callable

import orjson

from mcp_wallet.core.decision import Counters, Facts, WindowUse
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.policy_gate import decide
from tests.bench.figures import Row, paired
from tests.bench.worlds import GateWorld, gate_world

CALLS = 2_000


def gate_pure() -> list[Row]:
    """Return both rows: against the floor, and large against small."""
    small, large = gate_world(rules=10, listed=10), gate_world(rules=1_000, listed=1_000_000)
    figure, floor, ratio = paired(lambda: _whole(small), lambda: _floor(small), rounds=15)
    big, little, growth = paired(lambda: _whole(large), lambda: _whole(small), rounds=15)
    return [
        Row(id="gate_pure", figure=figure, unit="us", floor=floor, ratio=ratio, bar=12.0),
        Row(id="gate_pure_growth", figure=big, unit="us", floor=little, ratio=growth, bar=1.3),
    ]


def _whole(world: GateWorld) -> float:
    uses = tuple(
        WindowUse(limit_id=limit.limit_id, group="agent-0", spent_units=0, held_units=0, count=0)
        for limit in world.policy.limits_for(world.payment)
    )
    counters, facts = Counters(uses=uses), Facts()

    def once() -> None:
        draft = parse_request(world.request, agent=world.agent, registry=world.registry, book=world.book)
        intent = draft.intent("int_x")
        decide(world.policy, intent, counters, facts, world.now_ms)
        intent.fingerprint()

    return _p50_us(once)


def _floor(world: GateWorld) -> float:
    draft = parse_request(world.request, agent=world.agent, registry=world.registry, book=world.book)
    document = draft.intent("int_x").document()
    return _p50_us(lambda: hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest())


def _p50_us(once: Callable[[], object]) -> float:
    times = []
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        once()
        times.append(time.perf_counter_ns() - start)
    times.sort()
    return times[len(times) // 2] / 1000
