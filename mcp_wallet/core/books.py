"""Everything that a decision must know of the past, folded from the trail's events.

The ledger keeps one of these in memory and brings it up to date, under its lock, with the events that other processes
appended; an auditor folds the same events from the first one. Both must arrive at the same counters: that is what
`audit replay` checks.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, cast

from mcp_wallet.core.anomaly import Watch
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Anomaly, Counters, Outcome
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.fees import Fees
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.votes import Vote
from mcp_wallet.core.windows import Windows

HOUR_MS: Final = 3_600_000
WEEK_MS: Final = 604_800_000

_GIVE_BACK: Final = frozenset(
    {"reservation_released", "gate2_rejected", "approval_expired", "approval_rejected", "transaction_failed"}
)
"""What gives a payment's budget and guards back; not so a `gate2_rejected` after signing: a signature may exist."""
WATCHED: Final = _GIVE_BACK | {"policy_decision", "gate2_passed", "simulation"}
"""Events that say what is usual for an agent."""


_EXECUTION: Final = frozenset({"gate2_passed", "transaction_confirmed", "transaction_reorged", "payment_resolved"})
"""What moves an admitted payment; a `payment_resolved` that did not pay gives back instead."""


class Books:
    """The past as a decision sees it. Not thread-safe: its owner holds the ledger's lock."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.windows = Windows()
        self.last_event_ms = 0
        self.freezes: dict[tuple[str, str], str] = {}
        self.pending: Counter[str] = Counter()
        self.next_nonce: dict[ChainId, int] = {}
        self.fees = Fees()
        self.votes: dict[str, tuple[Vote, ...]] = {}
        self.watch: Watch | None = None
        """Only where some policy looks for anomalies: others need not pay for it."""
        self._live: dict[str, tuple[Payment, bool]] = {}
        # payment id -> time, in the order of the times: the newest stands last. Contents are kept under the payment
        # without its time, which is its last field: agent and content.
        self._admitted: dict[tuple[str, Address], dict[str, int]] = {}
        self._contents: dict[tuple[object, ...], dict[str, int]] = {}
        self._denials: dict[str, deque[int]] = {}

    # -- folding -----------------------------------------------------------------------------------------------

    def apply(self, event: Mapping[str, Json], at_ms: int) -> None:
        """Fold one event that happened at `at_ms`, in the order of the trail."""
        self.last_event_ms = max(self.last_event_ms, at_ms)
        kind = event["eventType"]
        if kind == "policy_decision":
            self._apply_decision(event, at_ms)
        elif is_given_back(event):
            self.release(_str(event, "paymentId"))
            self._pay_fee(event, at_ms)
        elif kind in _EXECUTION:
            self._follow_execution(kind, event, at_ms)
        elif kind == "approval_granted":
            payment_id, by = _str(event, "paymentId"), _str(event, "by")
            self.votes[payment_id] = (*self.votes.get(payment_id, ()), Vote(by=by, approves=True, at_ms=at_ms))
        else:
            self._apply_freeze(event)
        if self.watch is not None:
            watch_event(self.watch, event, at_ms)

    def _apply_freeze(self, event: Mapping[str, Json]) -> None:
        what = _str(event, "kind"), _str(event, "value")
        if event["eventType"] == "kill_switch_engaged":
            self.freezes[what] = _str(event, "reason")
        elif event["eventType"] == "kill_switch_released":
            self.freezes.pop(what, None)

    def _apply_decision(self, event: Mapping[str, Json], at_ms: int) -> None:
        payment_id, outcome = _str(event, "paymentId"), _str(event, "decision")
        if "metadata" in event:
            self.decided_again(payment_id, outcome)
        else:
            self.decided(payment_id, payment_of(event, at_ms), outcome)

    def _follow_execution(self, kind: str, event: Mapping[str, Json], at_ms: int) -> None:
        """Fold what Gate 2 and the chain did to an admitted payment."""
        payment_id = _str(event, "paymentId")
        if kind == "gate2_passed":
            chain = ChainId(_str(event, "chain"))
            self.next_nonce[chain] = max(self.next_nonce.get(chain, 0), int(_str(event, "nonce")) + 1)
            self.fees.hold(payment_id, chain, int(_str(event, "feeMaxWei")))
        elif kind == "transaction_reorged":
            self.windows.reopen(payment_id)
            self.fees.reopen(
                payment_id,
                ChainId(_str(event, "chain")),
                most_wei=int(_str(event, "feeMaxWei")),
                paid_wei=int(_str(event, "feeWei")),
                paid_at_ms=int(_str(event, "settledAtMs")),
            )
        else:
            self.windows.confirm(payment_id)
            self._pay_fee(event, at_ms)

    def decided(self, payment_id: str, payment: Payment, outcome: str) -> None:
        """Count a decision at the payment's own time: an admitted payment is held, a denial is remembered."""
        self.last_event_ms = max(self.last_event_ms, payment.at_ms)
        if outcome == Outcome.DENY:
            self._denials.setdefault(payment.agent, deque()).append(payment.at_ms)
        else:
            self.hold(payment_id, payment, pending=outcome == Outcome.REQUIRE_APPROVAL)

    def decided_again(self, payment_id: str, outcome: str) -> None:
        """Count the second decision on a payment that people approved: it waits no longer, or holds nothing."""
        if outcome == Outcome.DENY:
            self.release(payment_id)
        elif (found := self._live.get(payment_id)) is not None and found[1]:
            self._live[payment_id] = (found[0], False)
            self.pending[found[0].agent] -= 1
            self.votes.pop(payment_id, None)

    @contextmanager
    def set_aside(self, payment_id: str) -> Iterator[None]:
        """Within the block, count as if a held payment were not there: it is being decided again."""
        payment, pending = self._live[payment_id]
        admitted = self._admitted[payment.agent, payment.to]
        kept = dict(admitted)
        self.windows.set_aside(payment_id)
        admitted.pop(payment_id, None)
        self.pending[payment.agent] -= pending
        try:
            yield
        finally:
            self.windows.put_back(payment_id)
            admitted.clear()
            admitted.update(kept)
            self.pending[payment.agent] += pending

    def hold(self, payment_id: str, payment: Payment, *, pending: bool) -> None:
        """Count an admitted payment as held from its own time on."""
        self.windows.hold(payment_id, payment)
        self._live[payment_id] = (payment, pending)
        self._admitted.setdefault((payment.agent, payment.to), {})[payment_id] = payment.at_ms
        self._contents.setdefault(payment[:-1], {})[payment_id] = payment.at_ms
        if pending:
            self.pending[payment.agent] += 1

    def release(self, payment_id: str) -> None:
        """Give everything back that a payment held; an id that holds nothing changes nothing."""
        self.windows.release(payment_id)
        self.votes.pop(payment_id, None)
        found = self._live.pop(payment_id, None)
        if found is None:
            return
        payment, pending = found
        self._admitted[payment.agent, payment.to].pop(payment_id, None)
        self._contents[payment[:-1]].pop(payment_id, None)
        if pending:
            self.pending[payment.agent] -= 1

    def _pay_fee(self, event: Mapping[str, Json], at_ms: int) -> None:
        self.fees.settle(_str(event, "paymentId"), paid_wei=int(_str(event, "feeWei") or "0"), at_ms=at_ms)

    # -- questions ---------------------------------------------------------------------------------------------

    def frozen_by(self, payment: Payment) -> tuple[str, ...]:
        """Return which freezes cover the payment, in a fixed order."""
        if not self.freezes:
            return ()
        covers = {
            "all": "",
            "agent": payment.agent,
            "asset": payment.asset,
            "chain": payment.chain,
            "recipient": payment.to,
        }
        return tuple(kind for kind, value in covers.items() if (kind, value) in self.freezes)

    def last_admitted_ms(self, payment: Payment, *, since_ms: int) -> int | None:
        """Return when this agent last had a payment to this recipient admitted and kept, if after `since_ms`."""
        found = self._admitted.get((payment.agent, payment.to))
        newest_ms = found[next(reversed(found))] if found else since_ms
        return newest_ms if newest_ms > since_ms else None

    def same_content(self, payment: Payment, *, since_ms: int) -> str | None:
        """Return the newest guard-holding payment of the agent with equal content and `at_ms > since_ms`."""
        found = self._contents.get(payment[:-1])
        newest = next(reversed(found)) if found else None
        return newest if found and newest is not None and found[newest] > since_ms else None

    def anomalies(self, payment: Payment, watched: Collection[ReasonCode]) -> tuple[Anomaly, ...]:
        """Return what the watched tests find unusual about the payment at its own time."""
        if self.watch is None:
            raise InvariantBroken("a policy looks for anomalies and nobody watched")
        return self.watch.found(payment, watched)

    def denials_since(self, agent: str, since_ms: int) -> int:
        """Return the agent's denials with `at_ms > since_ms`; older ones are forgotten."""
        found = self._denials.get(agent, deque())
        while found and found[0] <= since_ms:
            found.popleft()
        return len(found)


def watch_event(watch: Watch, event: Mapping[str, Json], at_ms: int) -> None:
    """Fold one event into what is usual for its agent."""
    kind = event["eventType"]
    if is_first_decision(event):
        watch.decided(_str(event, "paymentId"), payment_of(event, at_ms), _str(event, "decision"), codes_of(event))
    elif kind == "gate2_passed":
        watch.approved(_str(event, "paymentId"))
    elif kind == "simulation":
        asset, units = AssetId(_str(event, "asset")), int(_str(event, "amount"))
        watch.refused(_str(event, "agentId"), asset, units, at_ms, codes_of(event))
    elif is_given_back(event):
        watch.dropped(_str(event, "paymentId"))


def codes_of(event: Mapping[str, Json]) -> frozenset[str]:
    """Return the codes of an event's reasons."""
    reasons = cast("list[Mapping[str, str]]", event.get("reasons", []))
    return frozenset(reason["code"] for reason in reasons)


def is_given_back(event: Mapping[str, Json]) -> bool:
    """Return whether the event gives its payment's budget and guards back."""
    if event["eventType"] == "payment_resolved":
        return event["outcome"] == "failed"
    return event["eventType"] in _GIVE_BACK and not event.get("afterSigning")


def is_first_decision(event: Mapping[str, Json]) -> bool:
    """Return whether the event decides about a new payment; what people approved is decided a second time."""
    return event["eventType"] == "policy_decision" and "metadata" not in event


def counters_at(
    books: Books,
    *,
    policy: CompiledPolicy,
    settings: Settings,
    payment: Payment,
    wall_ms: int,
    duplicate: str,
    halted: str,
    votes: tuple[Vote, ...] = (),
    requested_by: str = "",
    anomalies: tuple[Anomaly, ...] | None = None,
) -> Counters:
    """Return what is known of the past for one payment at its own time; ledger and auditor ask the same here.

    Args:
        votes: What people said about it, when it is decided again.
        requested_by: Whom the rules leave out of the votes.
        anomalies: Those that people were told of, when it is decided again; looked for when None.
    """
    now_ms, chain = payment.at_ms, payment.chain
    imitated = None if policy.lists(payment.to) else settings.book.imitated_by(payment.to)
    use = books.windows.use
    return Counters(
        uses=tuple([use(limit, payment, now_ms) for limit in policy.limits_for(payment)]),
        frozen_by=books.frozen_by(payment),
        last_payment_ms=books.last_admitted_ms(payment, since_ms=now_ms - policy.cooldown_ms),
        last_event_ms=books.last_event_ms,
        wall_ms=wall_ms,
        known_since_ms=policy.known_since(payment.to),
        imitates=imitated.name if imitated else "",
        ledger_nonce=books.next_nonce.get(chain),
        pending=books.pending.get(payment.agent, 0),
        halted=halted,
        duplicate=duplicate,
        fees_today_wei=books.fees.today_wei(chain, now_ms, newest_ms=books.last_event_ms),
        anomalies=_anomalies(books, policy, payment) if anomalies is None else anomalies,
        votes=votes,
        requested_by=requested_by,
    )


def _anomalies(books: Books, policy: CompiledPolicy, payment: Payment) -> tuple[Anomaly, ...]:
    return books.anomalies(payment, policy.anomaly) if policy.anomaly else ()


def payment_of(event: Mapping[str, Json], at_ms: int) -> Payment:
    """Return the payment that a `policy_decision` event is about."""
    intent = cast("Mapping[str, str]", event["intent"])
    return Payment(
        agent=intent["agentId"],
        operation=intent["operation"],
        chain=ChainId(intent["chain"]),
        asset=AssetId(intent["asset"]),
        to=Address(intent["to"]),
        category=intent["category"],
        amount_units=int(intent["amount"]),
        at_ms=at_ms,
    )


def held_payment(intent: PaymentIntent, at_ms: int) -> Payment:
    """Return what limits and freezes see of an intent, at a time."""
    return Payment(
        agent=intent.agent_id,
        operation=intent.operation,
        chain=ChainId(intent.chain),
        asset=AssetId(intent.asset),
        to=Address(intent.to),
        category=intent.category,
        amount_units=intent.amount_units,
        at_ms=at_ms,
    )


def content_of(payment: Payment) -> tuple[str, ...]:
    """Return what makes two payments the same: operation, chain, asset, to, amount, category."""
    return (
        payment.operation,
        payment.chain,
        payment.asset,
        payment.to,
        str(payment.amount_units),
        payment.category,
    )


def _str(event: Mapping[str, Json], key: str) -> str:
    return cast("str", event.get(key, ""))
