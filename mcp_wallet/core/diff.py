"""What a change of policy changes: whether it only tightens, only loosens, does both, or changes nothing.

Exact for the language: the decision space is cut at the constants of both versions, and every piece is looked at. What
a past, people and the chain decide is compared as what it refuses. A change that cannot be compared counts as both: it
needs the people that a loosening needs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Decision, Outcome
from mcp_wallet.core.diff_cells import Cell, TooManyPieces, cells_of
from mcp_wallet.core.diff_terms import Direction, TermChange, direction_of, term_changes
from mcp_wallet.core.diff_witness import Witness, decide_witness, plain_witness, telling_witnesses
from mcp_wallet.core.identifiers import Address, AssetId

WITNESSES_TRIED_MAX: Final = 2_000
_DISCLOSURES: Final = ("coarse", "remaining", "full")


class Classification(StrEnum):
    """How a new version of a policy stands towards the one before it."""

    TIGHTENS = "tightens"
    LOOSENS = "loosens"
    BOTH = "both"
    NEUTRAL = "neutral"

    @property
    def is_loosening(self) -> bool:
        """Whether something that was refused or needed people may pass now: such a change needs a second person."""
        return self in {Classification.LOOSENS, Classification.BOTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A witness, and what both versions really decide about it."""

    witness: Witness
    before: Decision
    after: Decision


@dataclass(slots=True, kw_only=True)
class Change:
    """Payments about which the versions decide differently.

    Args:
        agents: Those that are treated alike here; the first stands in the example.
        recipients: How many listed recipients it is about; None when it is about all that nobody lists.
        amounts: Stretches in base units, inclusive.
        terms: The terms that make the difference after some past; empty when the rules do, whatever the past.
    """

    before: Outcome
    after: Outcome
    agents: tuple[str, ...]
    assets: tuple[AssetId, ...]
    recipient: Address
    recipients: int | None
    amounts: list[tuple[int, int]]
    example: Example
    terms: tuple[TermChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """What a new version changes.

    Args:
        changes: Each with a payment that both versions really decide so.
        terms: What else is another: a change of terms may have no example.
        is_complete: Whether everything was compared; if not, the change counts as both.
    """

    classification: Classification
    changes: tuple[Change, ...]
    terms: tuple[TermChange, ...]
    is_complete: bool

    @property
    def newly_allowed(self) -> tuple[Change, ...]:
        """What passes now and did not, or not without people."""
        return tuple(c for c in self.changes if c.after is Outcome.ALLOW)

    @property
    def newly_denied(self) -> tuple[Change, ...]:
        """What is refused now and was not."""
        return tuple(c for c in self.changes if c.after is Outcome.DENY)

    @property
    def needs_approval(self) -> tuple[Change, ...]:
        """What needs people now and did not, or was refused."""
        return tuple(c for c in self.changes if c.after is Outcome.REQUIRE_APPROVAL)


def classify(old: CompiledPolicy | None, new: CompiledPolicy) -> Classification:
    """Return how `new` stands towards `old`; without an old version everything was denied.

    Args:
        old: The version in force, compiled with the settings in force; None when there is none.
        new: The candidate, compiled with the settings that it would decide under.
    """
    return diff(old, new).classification


def diff(old: CompiledPolicy | None, new: CompiledPolicy) -> PolicyDiff:
    """Return what `new` would newly allow, deny or have approved, each with a witness, and its classification."""
    # Since when a version has been in force is its past, not what it says: the two are compared without it.
    new = replace(new, listings=())
    findings = _Findings(_nothing(new) if old is None else replace(old, listings=()), new)
    if old is not None:
        findings.compare_disclosure()
    is_complete = True
    try:
        findings.take(cells_of(findings.old, new))
    except TooManyPieces:
        is_complete = False
    direction = findings.direction if is_complete else Direction.TIGHTENS | Direction.LOOSENS
    return PolicyDiff(
        classification=_CLASSIFICATIONS[direction],
        changes=tuple(findings.changes.values()),
        terms=tuple(findings.terms),
        is_complete=is_complete,
    )


_CLASSIFICATIONS: Final = {
    Direction.NONE: Classification.NEUTRAL,
    Direction.TIGHTENS: Classification.TIGHTENS,
    Direction.LOOSENS: Classification.LOOSENS,
    Direction.TIGHTENS | Direction.LOOSENS: Classification.BOTH,
}


@dataclass(slots=True)
class _Findings:
    """Gathers changes: one for each kind of payments and pair of answers, one for each term."""

    old: CompiledPolicy
    new: CompiledPolicy
    direction: Direction = Direction.NONE
    changes: dict[tuple[object, ...], Change] = field(default_factory=dict)
    terms: dict[TermChange, None] = field(default_factory=dict)

    def take(self, cells: Iterable[Cell]) -> None:
        """Take every piece in turn."""
        for cell in cells:
            if cell.before is not cell.after:
                self._take_rules(cell)
            found = tuple(term_changes(cell))
            fresh = tuple(change for change in found if change not in self.terms)
            for change in found:
                self.direction |= change.direction
            if fresh:
                self.terms |= dict.fromkeys(fresh)
                self._take_terms(cell, fresh)

    def compare_disclosure(self) -> None:
        """Take a policy that shows its agent more as a loosening one."""
        before, after = self.old.disclosure, self.new.disclosure
        if before != after:
            more = _DISCLOSURES.index(after) > _DISCLOSURES.index(before)
            direction = Direction.LOOSENS if more else Direction.TIGHTENS
            self.direction |= direction
            self.terms[TermChange("disclosure", "", direction, before, after)] = None

    def _take_rules(self, cell: Cell) -> None:
        self.direction |= direction_of(cell.before, cell.after)
        key = (cell.before, cell.after, cell.agents, cell.assets, cell.recipient.address)
        known = self.changes.get(key)
        if known is None:
            example = self._example(plain_witness(cell))
            if (example.before.outcome, example.after.outcome) != (cell.before, cell.after):
                self.direction |= Direction.TIGHTENS | Direction.LOOSENS  # the gate has the last word
            self.changes[key] = _change(cell, example)
        else:
            known.amounts = _united([*known.amounts, (cell.low, cell.high)])

    def _take_terms(self, cell: Cell, terms: tuple[TermChange, ...]) -> None:
        """Look for a past or votes under which the terms make a difference, one for each way that they go."""
        missing = Direction.NONE
        for change in terms:
            if change.subject != "approval" or cell.before is cell.after:  # else the rules' change shows it
                missing |= change.direction
        tried = range(WITNESSES_TRIED_MAX if missing else 0)
        for _, witness in zip(tried, telling_witnesses(cell), strict=False):
            example = self._example(witness)
            shown = direction_of(example.before.outcome, example.after.outcome) & missing
            if shown:
                missing &= ~shown
                key = (terms, shown)
                self.changes[key] = replace(_change(cell, example), terms=terms)
            if not missing:
                return

    def _example(self, witness: Witness) -> Example:
        before, after = decide_witness(self.old, witness), decide_witness(self.new, witness)
        return Example(witness=witness, before=before, after=after)


def _change(cell: Cell, example: Example) -> Change:
    return Change(
        before=example.before.outcome,
        after=example.after.outcome,
        agents=cell.agents,
        assets=cell.assets,
        recipient=cell.recipient.address,
        recipients=cell.recipient.number,
        amounts=[(cell.low, cell.high)],
        example=example,
    )


def _united(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same amounts in as few stretches as there can be."""
    united: list[tuple[int, int]] = []
    for low, high in sorted(stretches):
        if united and low <= united[-1][1] + 1:
            united[-1] = (united[-1][0], max(high, united[-1][1]))
        else:
            united.append((low, high))
    return united


def _nothing(new: CompiledPolicy) -> CompiledPolicy:
    """Return a policy that denies everything, under the settings of another."""
    return replace(
        new, rules=(), limits=(), hash="", version="0", _listed=(), _agents=frozenset(), _buckets={}, _scopes={}
    )
