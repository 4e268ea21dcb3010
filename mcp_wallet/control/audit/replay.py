"""Would it be decided so again? Every decision, from the first event on, from nothing but the trail.

(1) Counters, freezes, guards and the policies in force are folded from the events before each decision and must be what
was recorded. (2) The decision is taken again on policy and settings by hash, and its whole event must come out byte for
byte. Taken from the record: what the wall clock said, whether the process was halted, what the chain said, and the two
values that only the home's key can make (intent id, recipient pseudonym).
"""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final

import orjson

from mcp_wallet.contract.approvals import approval_id
from mcp_wallet.contract.events import decision_payload, envelope, parse_rfc3339_ms
from mcp_wallet.control.audit.inputs import Inputs, NotReplayable
from mcp_wallet.control.audit.trail import Trail
from mcp_wallet.control.audit.verify import PROGRESS_ROWS, Progress
from mcp_wallet.core.anomaly import CODES, FREEZE, Watch
from mcp_wallet.core.books import (
    HOUR_MS,
    Books,
    codes_of,
    content_of,
    counters_at,
    is_first_decision,
    is_given_back,
    payment_of,
)
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.decision import Anomaly, Outcome, facts_of
from mcp_wallet.core.document import as_mapping, as_text
from mcp_wallet.core.errors import InvariantBroken, WalletError
from mcp_wallet.core.guards import Hit, Verdict, judge
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy_gate import approval_of, decide
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.recorded import anomalies_of, draft_of, intent_of
from mcp_wallet.core.settings import Settings

MISMATCHES_MAX: Final = 100
SHOWN_CHARACTERS: Final = 300
ABSENT: Final = "(absent)"
GATE_ACTOR: Final = "gate-1"
"""Who stands as the actor of an automatic freeze."""
Event = dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One field of one event that comes out otherwise."""

    sequence: int
    field: str
    recorded: str
    rebuilt: str

    def document(self) -> dict[str, Json]:
        """Return the mismatch for `--json`."""
        return {"sequence": self.sequence, "field": self.field, "recorded": self.recorded, "rebuilt": self.rebuilt}


@dataclass(slots=True)
class ReplayReport:
    """What `audit replay` answers; the first mismatches are kept, all decisions are counted."""

    decisions: int = 0
    equal: int = 0
    not_replayable: int = 0
    differing: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Every decision came out byte for byte."""
        return self.equal == self.decisions and not self.differing and not self.not_replayable

    def document(self) -> dict[str, Json]:
        """Return the report for `--json`."""
        return {
            "ok": self.ok,
            "decisions": self.decisions,
            "equal": self.equal,
            "differing": self.differing,
            "mismatches": [mismatch.document() for mismatch in self.mismatches],
            "notReplayable": self.not_replayable,
        }


def replay_trail(trail: Trail, *, progress: Progress | None = None) -> ReplayReport:
    """Return how many decisions come out byte for byte, and where the others differ.

    Raises:
        OutsideError: When the ledger cannot be read.
    """
    replay, total = _Replay(Inputs(trail)), trail.size() if progress else 0
    for count, (sequence, _, body) in enumerate(trail.rows(), 1):
        replay.take(sequence, body)
        if progress and not count % PROGRESS_ROWS:
            progress(count, total)
    return replay.finish()


@dataclass(slots=True)
class _Guards:
    """Payments that hold a reference or a key, in plain dictionaries."""

    by_reference: dict[tuple[str, str, str], Hit] = field(default_factory=dict)
    by_key: dict[tuple[str, str], Hit] = field(default_factory=dict)
    _held: dict[str, tuple[tuple[str, str, str], tuple[str, str]]] = field(default_factory=dict)

    def hold(self, payment_id: str, intent: Mapping[str, Json], content: tuple[str, ...]) -> None:
        """Keep reference and key from being used for another payment."""
        reference = as_text(intent["reference"]), as_text(intent["to"]), as_text(intent["from"])
        key = as_text(intent["idempotencyKey"]), as_text(intent["agentId"])
        hit = Hit(payment_id=payment_id, agent_id=key[1], content=content)
        self._held[payment_id] = (reference, key)
        if reference[0]:
            self.by_reference[reference] = hit
        if key[0]:
            self.by_key[key] = hit

    def free(self, payment_id: str) -> None:
        """Let them be used again; a payment that holds nothing changes nothing."""
        held = self._held.pop(payment_id, None)
        if held is not None:
            self.by_reference.pop(held[0], None)
            self.by_key.pop(held[1], None)


class _Replay:
    """The pass over the events: judge each decision by what came before it, then let it count."""

    def __init__(self, inputs: Inputs) -> None:
        self.report = ReplayReport()
        self._inputs, self._books, self._guards = inputs, Books(), _Guards()
        self._books.watch = Watch()
        self._freeze_due, self._sequence = "", 0
        self._told: dict[str, tuple[Anomaly, ...]] = {}

    def take(self, sequence: int, body: bytes) -> None:
        """Judge the event if it is a decision, then fold it."""
        try:
            self._take(sequence, body)
        except (WalletError, InvariantBroken, KeyError, TypeError, ValueError, AttributeError) as error:
            self._mismatch(sequence, "", "an event", f"nothing that can be read again ({type(error).__name__})")

    def finish(self) -> ReplayReport:
        """Return the report."""
        if self._freeze_due:
            self._mismatch(self._sequence, "/eventType", "nothing", f"a freeze of agent {self._freeze_due}")
        return self.report

    def _take(self, sequence: int, body: bytes) -> None:
        event: Event = orjson.loads(body)
        is_decision = event["eventType"] == "policy_decision"
        self._check_freeze(sequence, event)
        if is_decision:
            self._judge(sequence, event, body)
        at_ms = parse_rfc3339_ms(as_text(event["timestamp"]))
        self._books.apply(event, at_ms)
        self._inputs.follow(event)
        if is_first_decision(event):
            self._after_decision(event, at_ms)
        elif is_given_back(event):
            self._guards.free(as_text(event["paymentId"]))
        elif event["eventType"] == "simulation":
            self._expect_freeze(event, as_text(event["agentId"]))

    def _judge(self, sequence: int, event: Event, body: bytes) -> None:
        self.report.decisions += 1
        try:
            rebuilt = self._decide_again(sequence, event)
        except NotReplayable as missing:
            self.report.not_replayable += 1
            self._mismatch(sequence, f"/{missing.name}", missing.digest, "not kept, or not what its hash says")
            return
        if canonical_bytes(rebuilt) == body:
            self.report.equal += 1
            return
        for pointer, recorded, again in differences(event, rebuilt):
            self._mismatch(sequence, pointer, recorded, again)

    def _decide_again(self, sequence: int, event: Event) -> Event:
        """Return the event as this decision must have written it."""
        recorded, written = as_mapping(event["intent"]), as_mapping(event["counters"])
        settings = self._inputs.settings()
        draft, intent = draft_of(recorded, settings), intent_of(recorded)
        policy = self._inputs.policy_of(draft.agent_id)
        wall_ms = int(as_text(written.get("wallMs", "0")))
        now_ms = max(wall_ms, self._books.last_event_ms)
        payment, payment_id = payment_of(event, now_ms), as_text(event["paymentId"])
        again: Event = {"metadata": {"approvalId": approval_id(payment_id)}} if "metadata" in event else {}
        verdict = Verdict() if again else self._verdict(draft, payment, settings)
        with self._books.set_aside(payment_id) if again else nullcontext():
            counters = counters_at(
                self._books,
                policy=policy,
                settings=settings,
                payment=payment,
                wall_ms=wall_ms,
                duplicate=str(verdict.refuse or ""),
                halted=as_text(written.get("halted", "")),
                votes=self._books.votes.get(payment_id, ()) if again else (),
                requested_by="" if settings.solo or not again else self._inputs.owner_of(draft.agent_id),
                anomalies=self._told.get(payment_id, ()) if again else None,
            )
        decision = decide(policy, intent, counters, facts_of(as_mapping(event["facts"])), now_ms)
        rebuilt = envelope(
            "policy_decision",
            event_id=as_text(event["eventId"]),
            at_ms=now_ms,
            org_id=settings.org_id,
            environment=settings.environment,
            agent_id=draft.agent_id,
        )
        fingerprint, payment_id = intent.fingerprint(), as_text(event["paymentId"])
        rebuilt |= decision_payload(
            decision=decision,
            policy=policy,
            draft=draft,
            intent=intent,
            fingerprint=fingerprint,
            payment_id=payment_id,
            recipient_hash=as_text(recorded["recipientHash"]),
            settings_version=settings.version,
            plaintext=settings.plaintext,
            approval=approval_of(decision, policy, intent, payment_id=payment_id, fingerprint=fingerprint),
        )
        replay: Event = {"answeredBy": verdict.replay} if verdict.replay else {}
        return rebuilt | replay | again | {"sequence": sequence}

    def _verdict(self, draft: PaymentDraft, payment: Payment, settings: Settings) -> Verdict:
        """Return what the guards said: a decision that is on the trail was never the replay of another."""
        content, by_content = content_of(payment), None
        if not draft.reference:
            found = self._books.same_content(payment, since_ms=payment.at_ms - settings.deduplication_ms)
            by_content = None if found is None else Hit(payment_id=found, agent_id=payment.agent, content=content)
        return judge(
            agent_id=payment.agent,
            content=content,
            has_key=bool(draft.idempotency_key),
            by_reference=self._guards.by_reference.get((draft.reference, draft.to, draft.sender)),
            by_key=self._guards.by_key.get((draft.idempotency_key, draft.agent_id)),
            by_content=by_content,
        )

    def _after_decision(self, event: Event, at_ms: int) -> None:
        """Hold the guards of what was admitted; know when the next event must be a freeze."""
        intent = as_mapping(event["intent"])
        agent = as_text(intent["agentId"])
        self._expect_freeze(event, agent)
        if event["decision"] == Outcome.REQUIRE_APPROVAL:
            self._told[as_text(event["paymentId"])] = anomalies_of(event)
        if event["decision"] != Outcome.DENY:
            self._guards.hold(as_text(event["paymentId"]), intent, content_of(payment_of(event, at_ms)))
            return
        denials = self._books.denials_since(agent, at_ms - HOUR_MS)
        if ("agent", agent) not in self._books.freezes and denials >= self._inputs.settings().denials_per_hour:
            self._freeze_due = agent

    def _expect_freeze(self, event: Event, agent: str) -> None:
        """Know whether an anomaly that the event found must freeze its agent."""
        found = codes_of(event).intersection(CODES.values())
        if not found:
            return
        try:
            actions = self._inputs.policy_of(agent).anomaly
        except NotReplayable:  # counted where the decision is judged; what it leads to cannot be known
            return
        freezing = any(actions.get(ReasonCode(code)) == FREEZE for code in found)
        if freezing and ("agent", agent) not in self._books.freezes:
            self._freeze_due = agent

    def _check_freeze(self, sequence: int, event: Event) -> None:
        """Compare an automatic freeze with what the denials before it demand."""
        frozen = ""
        if event["eventType"] == "kill_switch_engaged" and as_mapping(event["actor"]).get("name") == GATE_ACTOR:
            frozen = as_text(event["value"])
        due, self._freeze_due, self._sequence = self._freeze_due, "", sequence
        if frozen != due:
            recorded = f"a freeze of agent {frozen}" if frozen else as_text(event["eventType"])
            self._mismatch(sequence, "/eventType", recorded, f"a freeze of agent {due}" if due else "no freeze")

    def _mismatch(self, sequence: int, pointer: str, recorded: str, rebuilt: str) -> None:
        self.report.differing += 1
        if len(self.report.mismatches) < MISMATCHES_MAX:
            found = Mismatch(sequence=sequence, field=pointer, recorded=recorded, rebuilt=rebuilt)
            self.report.mismatches.append(found)


def differences(recorded: Json, rebuilt: Json, pointer: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield JSON pointer, recorded text and rebuilt text of every value that differs."""
    if isinstance(recorded, Mapping) and isinstance(rebuilt, Mapping):
        for key in sorted(recorded.keys() | rebuilt.keys()):
            yield from differences(recorded.get(key, ABSENT), rebuilt.get(key, ABSENT), f"{pointer}/{key}")
    elif isinstance(recorded, list | tuple) and isinstance(rebuilt, list | tuple) and len(recorded) == len(rebuilt):
        for index, (one, other) in enumerate(zip(recorded, rebuilt, strict=True)):
            yield from differences(one, other, f"{pointer}/{index}")
    elif recorded != rebuilt:
        yield pointer, _shown(recorded), _shown(rebuilt)


def _shown(value: Json) -> str:
    text = value if isinstance(value, str) else canonical_bytes(value).decode()
    return text[:SHOWN_CHARACTERS]
