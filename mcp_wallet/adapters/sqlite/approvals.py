"""Payments that wait for people; methods run on the connection's thread, inside a transaction.

The payment's row is the authority. Every question is answered by the ledger's order: what was closed first stays
closed, and whoever comes later hears so. After the quorum the payment is decided again, with the votes, as if it were
new but for its own place in the limits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.control_trail import ControlTrail
from mcp_wallet.adapters.sqlite.decided_again import DecidedAgain
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.adapters.sqlite.operators import Operators
from mcp_wallet.adapters.sqlite.rows import SELECT_OPEN, PaymentRow, find_row, read_row, update_row
from mcp_wallet.contract.approvals import approval_id, payment_id_of
from mcp_wallet.contract.events import EventType
from mcp_wallet.control_ports import ApprovalRequest, Closed
from mcp_wallet.core.books import held_payment
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.decision import Counters, Facts
from mcp_wallet.core.document import as_mapping
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.four_eyes import second_person_required
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.lifecycle import State, Step, step
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.recorded import anomalies_of, draft_of
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.rule_checks import asking_rules
from mcp_wallet.core.rule_index import Rule
from mcp_wallet.core.votes import ApprovalTerms, Vote
from mcp_wallet.ports import Actor, Approved, Denied, Granted, PaymentRecord

_PENDING: Final = f"{SELECT_OPEN} AND state = 'pending_approval' ORDER BY id"
_EVENT: Final = "SELECT body FROM event WHERE sequence = ?"


class _Closing(NamedTuple):
    """Why a request is over without anybody having said no."""

    code: ReasonCode
    message: str
    what: Step
    event: EventType


@dataclass(slots=True)
class Approvals:
    """Requests and votes.

    Args:
        again: Takes the decision once more.
    """

    raw: Raw
    trail: ControlTrail
    operators: Operators
    names: KeyedNames
    again: DecidedAgain
    halted: bool = False

    def vote(self, name: str, *, approves: bool, reason: str, actor: Actor) -> PaymentRecord | Closed:
        """Record what a person says about a payment; a request that is over is closed and says so.

        Raises:
            CallerError: `PERMISSION_DENIED`; `PAYMENT_UNKNOWN`; `SECOND_PERSON_REQUIRED` for the requester's owner;
                `APPROVAL_CLOSED` when it is over already; `INTENT_INVALID` for a second yes of one person.
        """
        self.operators.authorize(actor, Verb.APPROVE)
        row = self._row(name)
        closing = self._closing(row)
        if closing is not None:
            self._close(row, closing)
            return Closed(record=self._row(name).record, code=closing.code, message=closing.message)
        record = row.record
        self._check_voter(record, actor)
        at_ms = self.trail.now()
        self.raw.execute(
            "INSERT OR REPLACE INTO vote (subject, person, approves, at_ms, sequence) VALUES (?, ?, ?, ?, ?)",
            (record.decision_sequence, actor.name, int(approves), at_ms, self.trail.state.next_sequence),
        )
        said: dict[str, Json] = {**_named(record), "by": actor.name, "reason": reason}
        if approves:
            self._grant(record, said, Vote(by=actor.name, approves=True, at_ms=at_ms), actor)
        else:
            said["reasons"] = [{"code": str(ReasonCode.APPROVAL_REJECTED), "observed": actor.name}]
            self._move(row, Step.REJECT, ReasonCode.APPROVAL_REJECTED)
            self._event(record, EventType.APPROVAL_REJECTED, said, actor, at_ms)
        return self._row(name).record

    def requests(self) -> list[ApprovalRequest]:
        """Return every request that is open, oldest first."""
        return [self._request(row) for row in self._pending()]

    def any_waits(self) -> bool:
        """Return whether any payment waits for people, without asking a table."""
        return any(self.trail.state.books.pending.values())

    def due(self) -> tuple[list[Granted], bool]:
        """Return the payments that people approved, and whether any request is over without a word."""
        rows = list(self._pending())
        over = [row for row in rows if self._closing(row) is not None]
        granted = [self._granted(row) for row in rows if row not in over and self._is_satisfied(row.record)]
        return granted, bool(over)

    def close_over(self) -> int:
        """Give back what requests hold that are over; return how many."""
        closed = 0
        for row in list(self._pending()):
            closing = self._closing(row)
            if closing is not None:
                self._close(row, closing)
                closed += 1
        return closed

    def close_covered(self) -> None:
        """Close the requests that a freeze covers: what was stopped is not approved into being."""
        for row in list(self._pending()):
            closing = self._closing(row)
            if closing is not None and closing.code is ReasonCode.FROZEN:
                self._close(row, closing)

    def decide(self, payment_id: str, facts: Facts) -> Approved | Denied | None:
        """Decide an approved payment again, now; None when it is no longer there to be decided."""
        row = find_row(self.raw, self.names, payment_id, {})
        if self.halted or row is None or row.record.state is not State.PENDING_APPROVAL:
            return None
        closing = self._closing(row)
        if closing is not None:
            self._close(row, closing)
            return None
        if not self._is_satisfied(row.record):
            return None
        return self.again.decide(row.record, self._body(row.record), facts, requested_by=self._requester(row.record))

    # -- parts -----------------------------------------------------------------------------------------------

    def _row(self, name: str) -> PaymentRow:
        row = find_row(self.raw, self.names, payment_id_of(name), {})
        if row is None or row.record.state is State.DENIED:
            sentence = f"No payment that waited has the id `{name[:80]}`: `mcp-wallet approvals list` shows them."
            raise CallerError(ReasonCode.PAYMENT_UNKNOWN, sentence)
        return row

    def _pending(self) -> Iterator[PaymentRow]:
        return map(read_row, self.raw.execute(_PENDING).fetchall())

    def _body(self, record: PaymentRecord) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.raw.execute(_EVENT, (record.decision_sequence,)).fetchone()[0])
        return found

    def _closing(self, row: PaymentRow) -> _Closing | None:
        """Return why the request is over, None while it is open.

        Raises:
            CallerError: `APPROVAL_CLOSED` when the payment has moved on already.
        """
        record, control, books = row.record, self.trail.state.control, self.trail.state.books
        if record.state is not State.PENDING_APPROVAL:
            sentence = f"The payment is {str(record.state).replace('_', ' ')} already: nothing more can be said."
            raise CallerError(ReasonCode.APPROVAL_CLOSED, sentence)
        if books.frozen_by(held_payment(record.intent, record.decided_at_ms)):
            message = "Payments were stopped while it waited."
            return _Closing(ReasonCode.FROZEN, message, Step.RELEASE, EventType.RESERVATION_RELEASED)
        agent, settings = control.agents.get(record.intent.agent_id), control.settings
        policy = control.policies.get(agent.policy_id) if agent and not agent.disabled else None
        if (policy.hash if policy else "", settings.hash if settings else "") != (
            record.policy_hash,
            record.settings_hash,
        ):
            message = "Policy or settings changed while it waited: send it again."
            return _Closing(ReasonCode.POLICY_CHANGED, message, Step.RELEASE, EventType.RESERVATION_RELEASED)
        if self._expires_at_ms(record) <= self.trail.now():
            message = "Nobody approved it in time."
            return _Closing(ReasonCode.APPROVAL_EXPIRED, message, Step.EXPIRE, EventType.APPROVAL_EXPIRED)
        return None

    def _close(self, row: PaymentRow, closing: _Closing) -> None:
        self._move(row, closing.what, closing.code)
        reasons: list[Json] = [{"code": str(closing.code)}]
        payload: dict[str, Json] = {"reasons": reasons, "message": closing.message}
        self._event(row.record, closing.event, payload, None, self.trail.now())

    def _check_voter(self, record: PaymentRecord, actor: Actor) -> None:
        terms, requested_by = self._terms(record), self._requester(record)
        if not any(asked.admits(actor.name, requested_by=requested_by) for _, asked in terms):
            if actor.name == requested_by:
                raise second_person_required("The agent that asked is yours: somebody else must answer.")
            sentence = f"The policy names other approvers than `{actor.name}` for this payment."
            raise CallerError(ReasonCode.PERMISSION_DENIED, sentence)
        if any(vote.by == actor.name for vote in self._votes(record)):
            raise CallerError(ReasonCode.INTENT_INVALID, "You approved this payment already: it waits for others.")

    def _grant(self, record: PaymentRecord, said: dict[str, Json], vote: Vote, actor: Actor) -> None:
        votes, requested_by = (*self._votes(record), vote), self._requester(record)
        missing = [
            _called(rule)
            for rule, asked in self._terms(record)
            if not asked.is_satisfied(votes, requested_by=requested_by, now_ms=vote.at_ms)
        ]
        said |= {"complete": not missing, "missing": list(missing)}
        self._event(record, EventType.APPROVAL_GRANTED, said, actor, vote.at_ms)

    def _request(self, row: PaymentRow) -> ApprovalRequest:
        record, body = row.record, self._body(row.record)
        earlier = self.raw.execute(
            "SELECT count(*) FROM payment WHERE recipient = (SELECT recipient FROM payment WHERE id = ?) "
            "AND state = 'confirmed'",
            (record.decision_sequence,),
        ).fetchone()[0]
        rules, now_ms, requested_by = self._terms(record), self.trail.now(), self._requester(record)
        votes = self._votes(record)
        return ApprovalRequest(
            record=record,
            counters=as_mapping(body["counters"]),
            remaining=as_mapping(body["remaining"]),
            earlier_payments=earlier,
            rules=tuple((_called(rule), asked) for rule, asked in rules),
            votes=votes,
            missing=tuple(
                _called(rule)
                for rule, asked in rules
                if not asked.is_satisfied(votes, requested_by=requested_by, now_ms=now_ms)
            ),
            requested_by=self._owner(record),
            expires_at_ms=self._expires_at_ms(record),
            closing="" if (closing := self._closing(row)) is None else str(closing.code),
        )

    def _granted(self, row: PaymentRow) -> Granted:
        settings = self.trail.state.control.settings
        assert settings is not None, "a payment cannot exist without settings"  # noqa: S101
        draft = draft_of(self._body(row.record)["intent"], settings)
        chain = settings.chains.get(ChainId(row.record.intent.chain))
        fee_cap_wei = chain.max_fee_wei if chain else 0
        return Granted(payment_id=row.record.payment_id, draft=draft, fee_cap_wei=fee_cap_wei)

    def _is_satisfied(self, record: PaymentRecord) -> bool:
        votes, requested_by, now_ms = self._votes(record), self._requester(record), self.trail.now()
        terms = self._terms(record)
        return bool(terms) and all(
            asked.is_satisfied(votes, requested_by=requested_by, now_ms=now_ms) for _, asked in terms
        )

    def _terms(self, record: PaymentRecord) -> list[tuple[Rule, ApprovalTerms]]:
        """Return what the rules ask that matched when it was decided or match now; none without its policy.

        Either time counts: a rule with `hours` asks on although its hours are over.
        """
        control, intent = self.trail.state.control, record.intent
        agent = control.agents.get(intent.agent_id)
        policy = control.policies.get(agent.policy_id) if agent else None
        if policy is None or policy.hash != record.policy_hash:
            return []
        told = Counters(anomalies=anomalies_of(self._body(record)))
        rules = {
            rule.pointer: rule
            for at_ms in (record.decided_at_ms, self.trail.now())
            for rule in asking_rules(
                policy,
                policy.bucket(intent.agent_id, intent.chain, intent.asset, at_ms),
                intent,
                intent.amount_units,
                told,
            )
        }
        return [(rule, rule.approval) for rule in rules.values() if rule.approval is not None]

    def _votes(self, record: PaymentRecord) -> tuple[Vote, ...]:
        return self.trail.state.books.votes.get(record.payment_id, ())

    def _owner(self, record: PaymentRecord) -> str:
        agent = self.trail.state.control.agents.get(record.intent.agent_id)
        return agent.owner if agent else ""

    def _requester(self, record: PaymentRecord) -> str:
        """Return who is left out of the votes; nobody is in a solo home."""
        return "" if self.trail.solo else self._owner(record)

    def _expires_at_ms(self, record: PaymentRecord) -> int:
        row = self.raw.execute("SELECT expires_at_ms FROM payment WHERE id = ?", (record.decision_sequence,))
        return int(row.fetchone()[0])

    def _move(self, row: PaymentRow, what: Step, code: ReasonCode) -> None:
        record, changes = row.record, {"ended_by": str(code)}
        update_row(self.raw, record, step(record.state, what), freed=True, changes=changes)

    def _event(
        self, record: PaymentRecord, kind: EventType, payload: dict[str, Json], actor: Actor | None, at_ms: int
    ) -> None:
        named: dict[str, Json] = {"paymentId": record.payment_id, "intentFingerprint": record.fingerprint}
        body = named | payload
        self.trail.payment_event(kind, body, actor, record.intent.agent_id, at_ms)


def _called(rule: Rule) -> str:
    """Return a rule's id; what an anomaly asks has none, but a place in the policy."""
    return rule.rule_id or rule.pointer


def _named(record: PaymentRecord) -> dict[str, Json]:
    """Return what a vote is bound to."""
    return {
        "approvalId": approval_id(record.payment_id),
        "policyHash": record.policy_hash,
        "settingsHash": record.settings_hash,
    }
