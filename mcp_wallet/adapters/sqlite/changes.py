"""Proposals in their tables; methods run on the connection's thread, inside a transaction.

One person proposes, another approves; what only tightens, and everything in a solo home, may be put in force at once.
Every step is an event. Whatever was in force when a proposal was classified must still be so when it is put in force.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.control_trail import ControlTrail
from mcp_wallet.adapters.sqlite.effects import Effects
from mcp_wallet.adapters.sqlite.operators import Operators
from mcp_wallet.contract.changes import Change, ChangeKind, ChangeState, NewChange
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.diff import Classification
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.four_eyes import second_person_required
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Verb, may
from mcp_wallet.core.votes import Vote
from mcp_wallet.ports import Actor

_COLUMNS: Final = (
    "sequence, kind, subject, version, hash, base_hash, classification, state, proposed_by, proposed_at_ms, reason, "
    "body, checks"
)
_READ: Final = f"SELECT {_COLUMNS} FROM change"  # noqa: S608  our own column names
_POLICY: Final = (EventType.POLICY_PROPOSED, EventType.POLICY_APPROVED, EventType.POLICY_REJECTED)
_CONFIG: Final = (EventType.CONFIG_PROPOSED, EventType.CONFIG_APPROVED, EventType.CONFIG_REJECTED)
_OTHER: Final = (EventType.CHANGE_PROPOSED, EventType.CHANGE_APPROVED, EventType.CHANGE_REJECTED)
_EVENTS: Final = {ChangeKind.POLICY: _POLICY, ChangeKind.SETTINGS: _CONFIG, ChangeKind.PAYEE: _CONFIG}


@dataclass(slots=True)
class Changes:
    """The table of proposals."""

    raw: Raw
    trail: ControlTrail
    operators: Operators
    effects: Effects

    def propose(self, new: NewChange, actor: Actor) -> Change:
        """Record a proposal; one that waits for no moment is put in force at once where one person may.

        Raises:
            CallerError: `PERMISSION_DENIED`; `POLICY_CHANGED` when it was compared with what is no longer in force.
        """
        self.operators.authorize(actor, new.kind.proposed_with)
        self.effects.check(new.kind, new.subject, new.body, new.base_hash)
        version = self.effects.next_version(new)
        sequence, at_ms = self.trail.state.next_sequence, self.trail.now()
        payload: dict[str, Json] = {
            "changeId": f"chg_{sequence}",
            "kind": str(new.kind),
            "subject": new.subject,
            "version": str(version or ""),
            "hash": new.hash,
            "baseHash": new.base_hash,
            "classification": str(new.classification),
            "reason": new.reason,
            "checks": new.checks,
            "detail": new.detail,
        }
        self.trail.event(_EVENTS.get(new.kind, _OTHER)[0], payload, actor)
        kept = {} if new.kind is ChangeKind.POLICY else new.body  # a policy stands among the versions
        body, checks = (canonical_bytes(document).decode() for document in (kept, new.checks))
        columns = (sequence, new.kind, new.subject, version, new.hash, new.base_hash, new.classification)
        values = (*columns, ChangeState.PROPOSED, actor.name, at_ms, new.reason, body, checks)
        self.raw.execute(
            f"INSERT INTO change ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            tuple(str(v) if isinstance(v, str) else v for v in values),
        )
        change = self.get(sequence)
        if not new.kind.waits_for_its_moment and self._one_is_enough(change):
            self._put_in_force(change, actor)
        return self.get(sequence)

    def approve(self, sequence: int, reason: str, actor: Actor) -> Change:
        """Record the second person's yes; what waits for no moment is in force with it.

        Raises:
            CallerError: `APPROVAL_CLOSED` when it is no longer open; `SECOND_PERSON_REQUIRED`; `PERMISSION_DENIED`.
        """
        change = self._still(sequence, ChangeState.PROPOSED)
        self.operators.second(actor, Verb.APPROVE, proposed_by=change.proposed_by)
        if not change.kind.waits_for_its_moment:
            self._check(change)
        self._vote(change, actor, approves=True)
        self._move(change, ChangeState.APPROVED)
        self._event(1, change, actor, reason)
        if not change.kind.waits_for_its_moment:
            self._put_in_force(self.get(sequence), actor)
        return self.get(sequence)

    def reject(self, sequence: int, reason: str, actor: Actor) -> Change:
        """Record a no, which ends it; whoever proposed it may take it back.

        Raises:
            CallerError: `APPROVAL_CLOSED`; `PERMISSION_DENIED`.
        """
        change = self._still(sequence, ChangeState.PROPOSED, ChangeState.APPROVED)
        self.operators.authorize(actor, change.kind.proposed_with if actor.name == change.proposed_by else Verb.APPROVE)
        self._vote(change, actor, approves=False)
        self._move(change, ChangeState.REJECTED)
        self._event(2, change, actor, reason)
        return self.get(sequence)

    def put_in_force(self, sequence: int, actor: Actor) -> Change:
        """Put a proposal in force: approved, or such that one person is enough.

        Raises:
            CallerError: `SECOND_PERSON_REQUIRED`; `APPROVAL_CLOSED`; `PERMISSION_DENIED`; `POLICY_CHANGED` when
                something else has come in force since it was proposed.
        """
        change = self._still(sequence, ChangeState.PROPOSED, ChangeState.APPROVED)
        person = self.operators.get(actor.name)
        self.operators.authorize(actor, Verb.APPROVE if may(person.roles, Verb.APPROVE) else Verb.PROPOSE)
        if change.state is not ChangeState.APPROVED and not self._one_is_enough(change):
            raise second_person_required(f"This change {_does(change)}: another person must approve it first.")
        self._check(change)
        self._put_in_force(change, actor)
        return self.get(sequence)

    def get(self, sequence: int) -> Change:
        """Return one proposal; `CallerError(INTENT_INVALID)` when there is none."""
        row = self.raw.execute(f"{_READ} WHERE sequence = ?", (sequence,)).fetchone()
        if row is None:
            raise CallerError(ReasonCode.INTENT_INVALID, f"There is no proposal `chg_{sequence}`.")
        return self._read(row)

    def find(self, *, kind: ChangeKind | None, subject: str = "", open_only: bool = False) -> list[Change]:
        """Return proposals, newest first; of all kinds and subjects when left out."""
        rows = self.raw.execute(
            f"{_READ} WHERE (kind = ? OR ? = '') AND (subject = ? OR ? = '') ORDER BY sequence DESC",
            (str(kind or ""), str(kind or ""), subject, subject),
        ).fetchall()
        found = [self._read(row) for row in rows]
        return [change for change in found if change.is_open or not open_only]

    # -- parts -----------------------------------------------------------------------------------------------

    def _one_is_enough(self, change: Change) -> bool:
        return self.trail.solo or not change.classification.is_loosening

    def _check(self, change: Change) -> None:
        self.effects.check(change.kind, change.subject, change.body, change.base_hash)

    def _put_in_force(self, change: Change, actor: Actor) -> None:
        self._move(change, ChangeState.ACTIVE)
        self.effects.put_in_force(change, actor)

    def _still(self, sequence: int, *states: ChangeState) -> Change:
        change = self.get(sequence)
        if change.state not in states:
            sentence = f"`{change.change_id}` is {change.state} already: nothing more can be said about it."
            raise CallerError(ReasonCode.APPROVAL_CLOSED, sentence)
        return change

    def _vote(self, change: Change, actor: Actor, *, approves: bool) -> None:
        self.raw.execute(
            "INSERT OR REPLACE INTO vote (subject, person, approves, at_ms, sequence) VALUES (?, ?, ?, ?, ?)",
            (change.sequence, actor.name, int(approves), self.trail.now(), self.trail.state.next_sequence),
        )

    def _move(self, change: Change, state: ChangeState) -> None:
        self.raw.execute("UPDATE change SET state = ? WHERE sequence = ?", (str(state), change.sequence))

    def _event(self, which: int, change: Change, actor: Actor, reason: str) -> None:
        payload: dict[str, Json] = {
            "changeId": change.change_id,
            "kind": str(change.kind),
            "subject": change.subject,
            "version": str(change.version or ""),
            "hash": change.hash,
            "classification": str(change.classification),
            "proposedBy": change.proposed_by,
            "reason": reason,
        }
        self.trail.event(_EVENTS.get(change.kind, _OTHER)[which], payload, actor)

    def _read(self, row: tuple[Any, ...]) -> Change:
        named = dict(zip(_COLUMNS.split(", "), row, strict=True))
        votes = self.raw.execute(
            "SELECT person, approves, at_ms FROM vote WHERE subject = ? ORDER BY sequence", (named["sequence"],)
        ).fetchall()
        named |= {
            "kind": ChangeKind(named["kind"]),
            "state": ChangeState(named["state"]),
            "classification": Classification(named["classification"]),
            "body": orjson.loads(named["body"]),
            "checks": orjson.loads(named["checks"]),
        }
        return Change(**named, votes=tuple(Vote(by, bool(approves), at_ms) for by, approves, at_ms in votes))


def _does(change: Change) -> str:
    return "loosens and tightens" if change.classification is Classification.BOTH else "loosens"
