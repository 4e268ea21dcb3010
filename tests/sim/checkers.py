"""Judges from outside: they read the trail, the chain and what clients were told, and share no code with the gate.

Each returns sentences, one for each violation; an empty list is a clean bill.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mcp_wallet.control.audit.checkpoints import AnchorNotes
from mcp_wallet.control.audit.replay import replay_trail
from mcp_wallet.control.audit.trail import Trail
from mcp_wallet.control.audit.verify import verify_trail
from mcp_wallet.core.notes import parse_verifier_key
from tests.sim.chain import Transfer

Event = Mapping[str, Any]
GIVES_BACK = {
    "reservation_released",
    "gate2_rejected",
    "approval_expired",
    "approval_rejected",
    "transaction_failed",
}
UNDER_WAY = {"reserved", "signing", "signed", "broadcast", "unknown"}
PAID = {"confirmed"}
STEPS = {
    "confirmed": ("policy_decision", "gate2_passed", "transaction_signed", "transaction_broadcast"),
    "broadcast": ("policy_decision", "gate2_passed", "transaction_signed", "transaction_broadcast"),
    "signed": ("policy_decision", "gate2_passed", "transaction_signed"),
    "signing": ("policy_decision", "gate2_passed"),
    "reserved": ("policy_decision",),
}
"""What must stand on the trail, in this order, of a payment that is in a state."""


@dataclass(frozen=True)
class Budget:
    """A limit as the policy's author meant it: so many units in (now - window, now], of one agent or of all."""

    window_ms: int
    units: int
    by_agent: bool


@dataclass(frozen=True)
class Told:
    """What a client was told: which payment, and what had become of it by then."""

    reference: str
    payment_id: str
    status: str
    checkpoint: str


@dataclass(frozen=True)
class Row:
    """A payment as the ledger has it."""

    payment_id: str
    reference: str
    to: str
    units: int
    state: str
    hash: str


def paid_at_most_once(transfers: Iterable[Transfer]) -> list[str]:
    """Every reference of these tests has an amount of its own: one amount never leaves twice."""
    counted = Counter((t.to, t.units) for t in transfers)
    return [f"{units} units to {to} left {n} times" for (to, units), n in counted.items() if n > 1]


def effects_fit(rows: Sequence[Row], transfers: Iterable[Transfer]) -> list[str]:
    """At rest the ledger says paid where the chain does, and nowhere else."""
    left = {(t.to, t.units) for t in transfers}
    paid = {(r.to, r.units) for r in rows if r.state in PAID}
    may_be = {(r.to, r.units) for r in rows if r.state in UNDER_WAY}
    return [f"{u} units to {to} left, and no payment says so" for to, u in sorted(left - paid - may_be)] + [
        f"{u} units to {to} are called paid and never left" for to, u in sorted(paid - left)
    ]


def nothing_acknowledged_is_lost(told: Iterable[Told], rows: Sequence[Row], denied: Iterable[str]) -> list[str]:
    """What a client was told of stands in the ledger, and what was final stayed as it was."""
    states = {r.payment_id: r.state for r in rows} | dict.fromkeys(denied, "denied")
    final = {"confirmed": {"confirmed"}, "denied": {"denied"}, "failed": {"failed", "released", "expired", "rejected"}}
    found = []
    for t in told:
        state = states.get(t.payment_id)
        if state is None:
            found.append(f"{t.payment_id} was told as {t.status} and is not there")
        elif (
            t.status in final and state not in final[t.status] and not (t.status == "confirmed" and state in UNDER_WAY)
        ):
            found.append(f"{t.payment_id} was told as {t.status} and is {state}")
    return found


def within_limits(events: Iterable[Event], budgets: Sequence[Budget]) -> list[str]:
    """At each admission, what is held and spent in each window stays within its budget (naively: all of it summed)."""
    found, live, order = [], dict[str, tuple[int, str, int]](), list[str]()
    for event in events:
        kind, payment_id = event["eventType"], event.get("paymentId", "")
        if kind in GIVES_BACK and not event.get("afterSigning"):
            live.pop(payment_id, None)
        if kind != "policy_decision" or event["decision"] == "DENY":
            continue
        now_ms, agent = _milliseconds(event["timestamp"]), event["agentId"]
        live[payment_id] = (now_ms, agent, int(event["intent"]["amount"]))
        order.append(payment_id)
        for budget in budgets:
            total = 0
            for one in reversed(order):
                at_ms, whose, units = live.get(one, (now_ms, "", 0))
                if at_ms <= now_ms - budget.window_ms:
                    break
                total += units if whose and (whose == agent or not budget.by_agent) else 0
            if total > budget.units:
                found.append(
                    f"event {event['sequence']}: {total} units in {budget.window_ms} ms, {budget.units} allowed"
                )
    return found


def trail_is_complete(events: Sequence[Event], rows: Sequence[Row]) -> list[str]:
    """Every payment's steps stand on the trail, in their order, and the sequence has no gap."""
    found = [f"event {n} says {e['sequence']}" for n, e in enumerate(events) if e["sequence"] != n]
    seen = defaultdict[str, list[str]](list)
    for event in events:
        seen[event.get("paymentId", "")].append(event["eventType"])
    for row in rows:
        steps = seen[row.payment_id]
        wanted = [
            *STEPS.get(row.state, ("policy_decision",)),
            *(["transaction_confirmed"] if row.state in PAID else []),
        ]
        if "transaction_unknown" in steps and "transaction_broadcast" not in steps:
            wanted = [step for step in wanted if step != "transaction_broadcast"]  # no node ever said that it had it
        places = [steps.index(step) if step in steps else -1 for step in wanted]
        if -1 in places or places != sorted(places):
            found.append(f"{row.payment_id} is {row.state} with {', '.join(steps) or 'nothing'}")
    return found


def trail_holds(trail: Trail, notes: Sequence[str], verifier_key: str) -> list[str]:
    """It verifies against the anchor and the key, and every decision is decided again alike."""
    anchors = [AnchorNotes(name="outside", notes=tuple(notes))]
    verified = verify_trail(trail, anchors, key=parse_verifier_key(verifier_key))
    replayed = replay_trail(trail)
    return [f"verify: {f.document()}" for f in verified.findings.shown] + [
        f"replay: {m.document()}" for m in replayed.mismatches
    ]


def checkpoints_hold(told: Iterable[Told], trail: Trail, verifier_key: str) -> list[str]:
    """Each client's own anchor is a beginning of the trail."""
    notes = tuple({t.checkpoint for t in told if t.checkpoint})
    if not notes:
        return []
    verified = verify_trail(trail, [AnchorNotes(name="client", notes=notes)], key=parse_verifier_key(verifier_key))
    return [f"a client's checkpoint: {f.document()}" for f in verified.findings.shown]


def at_rest(rows: Sequence[Row], *, ledger_nonce: int, account_nonce: int) -> list[str]:
    """Nothing is under way any more, and the account has used every nonce that the ledger gave."""
    found = [f"{r.payment_id} is still {r.state}" for r in rows if r.state in UNDER_WAY]
    if ledger_nonce != account_nonce:
        found.append(f"the ledger gave {ledger_nonce} nonces, the account has used {account_nonce}")
    return found


def _milliseconds(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)
