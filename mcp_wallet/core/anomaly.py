"""What is unusual for an agent: four deterministic tests over what it did in the last 30 days.

All arithmetic is in integers. The tests learn from payments that were allowed and that nothing flagged, or that people
approved; never from what they flagged themselves. The state is a function of the trail's last 30 days, so that a
restart and an auditor come to the same answer.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import Final, NamedTuple, TypeVar

from mcp_wallet.core.decision import Anomaly, Outcome
from mcp_wallet.core.identifiers import Address, AssetId
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.reasons import ReasonCode

MEMORY_MS: Final = 30 * 86_400_000
HOUR_MS: Final = 3_600_000
CODES: Final[Mapping[str, ReasonCode]] = {
    "amount": ReasonCode.ANOMALY_AMOUNT,
    "newRecipient": ReasonCode.ANOMALY_NEW_RECIPIENT,
    "velocity": ReasonCode.ANOMALY_VELOCITY,
    "probing": ReasonCode.ANOMALY_PROBING,
}
"""The test of each field of a policy's `anomaly`."""
ALERT, ASK, DENY, FREEZE = "alert", "requireApproval", "deny", "freeze"
ACTIONS: Final = frozenset((ALERT, ASK, DENY, FREEZE))
PROBES: Final = frozenset(
    {ReasonCode.PER_TX_LIMIT_EXCEEDED, ReasonCode.WINDOW_LIMIT_EXCEEDED, ReasonCode.BELOW_MINIMUM}
)
"""Refusals that tell an agent on which side of a bound its amount was."""

AMOUNTS_MIN: Final = 20
"""Payments in an asset before an amount can be unusual."""
RECIPIENTS_AFTER: Final = 10
"""Payments of an agent before a recipient can be new."""
HOURS_MIN: Final = 10
"""Different hours with payments before a rate can be unusual."""
DEVIATIONS: Final = 3
DOUBLING: Final = 256
"""One doubling of an amount, in steps of the score."""
DOUBLINGS_MIN: Final = 2
"""Less than four times the usual amount is never unusual, however regular the agent was."""
RATE_FACTOR, RATE_MARGIN = 4, 5
"""A rate above four times the usual and five more is unusual."""
PROBES_MAX: Final = 5
"""Different amounts refused at a bound within an hour: from so many on the agent searches for it."""
_TRIM_AT: Final = 4096


T = TypeVar("T")


class _Seen(NamedTuple):
    payment: Payment
    score: int
    learned: bool


class _Probe(NamedTuple):
    at_ms: int
    asset: AssetId
    amount_units: int


@dataclass(slots=True)
class _Usual:
    """Sums over the payments learned from; `count`, `total` and `squares` per asset."""

    amounts: dict[AssetId, tuple[int, int, int]] = field(default_factory=dict)
    recipients: Counter[Address] = field(default_factory=Counter)
    hours: Counter[int] = field(default_factory=Counter)
    payments: int = 0

    def change(self, seen: _Seen, sign: int) -> None:
        """Add a payment that was learned from, or take it away again."""
        payment, score = seen.payment, seen.score
        count, total, squares = self.amounts.get(payment.asset, (0, 0, 0))
        self.amounts[payment.asset] = (count + sign, total + sign * score, squares + sign * score * score)
        self.payments += sign
        _count(self.recipients, payment.to, sign)
        _count(self.hours, payment.at_ms // HOUR_MS, sign)


@dataclass(slots=True)
class _Agent:
    """One agent's admitted payments in the order of their times; `usual` sums those from `left` on."""

    seen: list[_Seen] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    left: int = 0
    usual: _Usual = field(default_factory=_Usual)
    waiting: dict[str, Payment] = field(default_factory=dict)
    probes: list[_Probe] = field(default_factory=list)

    def add(self, payment: Payment, *, learned: bool) -> None:
        found = _Seen(payment, score_of(payment.amount_units), learned)
        self.seen.append(found)
        self.times.append(payment.at_ms)
        if learned:
            self.usual.change(found, +1)
        self._trim(payment.at_ms)

    def learn(self, payment: Payment) -> None:
        """Learn from a payment that people approved, at the time of its decision."""
        for index in range(bisect_left(self.times, payment.at_ms), bisect_right(self.times, payment.at_ms)):
            if self.seen[index].payment == payment and not self.seen[index].learned:
                found = self.seen[index] = self.seen[index]._replace(learned=True)
                if index >= self.left:
                    self.usual.change(found, +1)
                return

    def move_to(self, now_ms: int) -> None:
        """Let `usual` be that of (now - 30 d, now]; a look ahead is taken back."""
        left = bisect_right(self.times, now_ms - MEMORY_MS)
        for index in range(self.left, left):
            if self.seen[index].learned:
                self.usual.change(self.seen[index], -1)
        for index in range(left, self.left):
            if self.seen[index].learned:
                self.usual.change(self.seen[index], +1)
        self.left = left

    def admitted_since(self, since_ms: int) -> int:
        return len(self.times) - bisect_right(self.times, since_ms)

    def probed(self, probe: _Probe) -> None:
        self.probes.append(probe)
        if len(self.probes) > _TRIM_AT:
            del self.probes[: _TRIM_AT // 2]

    def different_probes(self, since_ms: int) -> int:
        """Return how many different amounts were refused at a bound, at most `PROBES_MAX`."""
        found: set[tuple[AssetId, int]] = set()
        for probe in reversed(self.probes):
            if probe.at_ms <= since_ms or len(found) == PROBES_MAX:
                break
            found.add((probe.asset, probe.amount_units))
        return len(found)

    def _trim(self, now_ms: int) -> None:
        """Forget what has been outside the memory for as long again."""
        old = bisect_right(self.times, now_ms - 2 * MEMORY_MS)
        if old > _TRIM_AT:
            self.move_to(now_ms)
            del self.seen[:old], self.times[:old]
            self.left -= old


def _count(counter: Counter[T], key: T, sign: int) -> None:
    counter[key] += sign
    if not counter[key]:
        del counter[key]


class Watch:
    """What every agent usually does. Not thread-safe: its owner holds the ledger's lock."""

    def __init__(self) -> None:
        """Start before the first payment."""
        self._agents: dict[str, _Agent] = {}
        self._waiting: dict[str, str] = {}

    def decided(self, payment_id: str, payment: Payment, outcome: str, codes: Collection[str]) -> None:
        """Take in a decision: learn from what was allowed unflagged, remember what people must approve, and probes."""
        agent = self._agents.setdefault(payment.agent, _Agent())
        if outcome == Outcome.DENY:
            self.refused(payment.agent, payment.asset, payment.amount_units, payment.at_ms, codes)
            return
        asks = outcome == Outcome.REQUIRE_APPROVAL
        agent.add(payment, learned=not asks and not _FLAGS.intersection(codes))
        if asks:
            agent.waiting[payment_id] = payment
            self._waiting[payment_id] = payment.agent

    def refused(self, agent: str, asset: AssetId, amount_units: int, at_ms: int, codes: Collection[str]) -> None:
        """Take in a refusal, also of a simulation: one at a bound is a probe."""
        if PROBES.intersection(codes):
            self._agents.setdefault(agent, _Agent()).probed(_Probe(at_ms, asset, amount_units))

    def approved(self, payment_id: str) -> None:
        """Learn from a payment that passed Gate 2 after people had approved it; others change nothing."""
        agent = self._waiting.pop(payment_id, None)
        if agent is not None:
            found = self._agents[agent]
            found.learn(found.waiting.pop(payment_id))

    def dropped(self, payment_id: str) -> None:
        """Forget that a payment waits for people."""
        agent = self._waiting.pop(payment_id, None)
        if agent is not None:
            del self._agents[agent].waiting[payment_id]

    def found(self, payment: Payment, watched: Collection[ReasonCode]) -> tuple[Anomaly, ...]:
        """Return which of the watched tests flag the payment at its own time."""
        agent = self._agents.get(payment.agent)
        if agent is None:
            return ()
        agent.move_to(payment.at_ms)
        return tuple(
            found
            for code, test in _TESTS.items()
            if code in watched and (found := test(code, agent, payment)) is not None
        )


def score_of(amount_units: int) -> int:
    """Return log2 of the amount in steps of 1/256, rounded down; amounts are above 0."""
    whole = amount_units.bit_length() - 1
    mantissa, fraction = (amount_units << 32) >> whole, 0
    for _ in range(8):
        mantissa = mantissa * mantissa >> 32
        fraction <<= 1
        if mantissa >> 33:
            mantissa >>= 1
            fraction |= 1
    return whole * DOUBLING + fraction


def _amount(code: ReasonCode, agent: _Agent, payment: Payment) -> Anomaly | None:
    """Flag an amount that is three deviations and at least four times above the (geometric) mean."""
    count, total, squares = agent.usual.amounts.get(payment.asset, (0, 0, 0))
    if count < AMOUNTS_MIN:
        return None
    above = count * score_of(payment.amount_units) - total
    limit = max(DEVIATIONS * isqrt(count * squares - total * total), count * DOUBLINGS_MIN * DOUBLING)
    return None if above <= limit else Anomaly(code, above // count, limit // count)


def _new_recipient(code: ReasonCode, agent: _Agent, payment: Payment) -> Anomaly | None:
    """Flag somebody whom the agent has not paid in its 30 days."""
    usual = agent.usual
    return None if usual.payments < RECIPIENTS_AFTER or usual.recipients[payment.to] else Anomaly(code, 0, 1)


def _velocity(code: ReasonCode, agent: _Agent, payment: Payment) -> Anomaly | None:
    """Flag a payment with which the last hour holds far more than the hours in which the agent pays."""
    hours = len(agent.usual.hours)
    if hours < HOURS_MIN:
        return None
    rate = agent.admitted_since(payment.at_ms - HOUR_MS) + 1
    limit = RATE_FACTOR * agent.usual.payments // hours + RATE_MARGIN
    return None if rate <= limit else Anomaly(code, rate, limit)


def _probing(code: ReasonCode, agent: _Agent, payment: Payment) -> Anomaly | None:
    """Flag an agent that tried different amounts at a bound."""
    probes = agent.different_probes(payment.at_ms - HOUR_MS)
    return None if probes < PROBES_MAX else Anomaly(code, probes, PROBES_MAX - 1)


_TESTS: Final = {
    ReasonCode.ANOMALY_AMOUNT: _amount,
    ReasonCode.ANOMALY_NEW_RECIPIENT: _new_recipient,
    ReasonCode.ANOMALY_VELOCITY: _velocity,
    ReasonCode.ANOMALY_PROBING: _probing,
}
_FLAGS: Final = frozenset(CODES.values())
