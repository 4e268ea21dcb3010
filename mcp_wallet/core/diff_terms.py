"""What depends on a past, on people and on the chain, compared where both versions let a payment pass.

Each difference says what it loosens or tightens: a limit, the cooldown, the hold, what is asked of people, fees.
"""

from collections.abc import Iterator, Mapping
from enum import Flag, auto
from typing import Final, NamedTuple

from mcp_wallet.core.anomaly import ALERT, ASK, CODES, DENY, FREEZE
from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.diff_cells import Cell
from mcp_wallet.core.diff_limits import AMOUNT, Maximum, maxima_of, unmatched
from mcp_wallet.core.diff_people import can_stop_more, unmatched_terms
from mcp_wallet.core.diff_space import Side, chain_of
from mcp_wallet.core.identifiers import AssetId
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.votes import ApprovalTerms

_ACTIONS: Final = ("", ALERT, ASK, DENY, FREEZE)
"""What follows from an anomaly, from nothing to the most."""


class Direction(Flag):
    """Which way a change goes; both ways together when it cannot be compared."""

    NONE = 0
    TIGHTENS = auto()
    LOOSENS = auto()


class TermChange(NamedTuple):
    """One term that is another in the new version.

    Args:
        subject: One of `limit approval cooldown newRecipientHold anomaly fees pendingMax approvalTime disclosure`.
        name: Id of the limit or rule and the field that differs; empty for the others.
        before: In base units of `asset`, milliseconds, wei or counts; empty when there is nothing.
        asset: CAIP-19 id for an amount, else empty.
    """

    subject: str
    name: str
    direction: Direction
    before: str
    after: str
    asset: str = ""


def direction_of(before: Outcome, after: Outcome) -> Direction:
    """Return which way an outcome changed."""
    order = (Outcome.DENY, Outcome.REQUIRE_APPROVAL, Outcome.ALLOW)
    difference = order.index(after) - order.index(before)
    return Direction.LOOSENS if difference > 0 else Direction.TIGHTENS if difference < 0 else Direction.NONE


def term_changes(cell: Cell) -> Iterator[TermChange]:
    """Yield the differences in what else could refuse a payment that the rules of both versions let pass."""
    if Outcome.DENY in {cell.before, cell.after}:
        return
    yield from _limit_changes(cell)
    yield from _people_changes(cell)
    old, new = cell.pair.old.policy, cell.pair.new.policy
    yield from _number("cooldown", old.cooldown_ms, new.cooldown_ms, more=Direction.TIGHTENS)
    until = [_held_until(side, cell) for side in cell.pair]
    yield from _number("newRecipientHold", *until, more=Direction.TIGHTENS)
    yield from _anomaly_changes(old.anomaly, new.anomaly)
    chain = chain_of(cell.assets[0])
    for before, after in zip(old.fee_caps.get(chain, (0, 0)), new.fee_caps.get(chain, (0, 0)), strict=True):
        yield from _number("fees", before, after, more=Direction.LOOSENS)
    if cell.before is Outcome.REQUIRE_APPROVAL and cell.after is Outcome.REQUIRE_APPROVAL:
        yield from _number("pendingMax", old.pending_max, new.pending_max, more=Direction.LOOSENS)
        yield from _number("approvalTime", old.approval_ttl_ms, new.approval_ttl_ms, more=Direction.LOOSENS)


def _limit_changes(cell: Cell) -> Iterator[TermChange]:
    old, new = (maxima_of(side.limits, cell.low) for side in cell.pair)
    asset = cell.assets[0]
    for gone in unmatched(old, new, asset):
        yield _limit_change(gone, new, Direction.LOOSENS, asset)
    for added in unmatched(new, old, asset):
        yield _limit_change(added, old, Direction.TIGHTENS, asset)


def _limit_change(found: Maximum, others: tuple[Maximum, ...], direction: Direction, asset: AssetId) -> TermChange:
    name = f"{found.limit.limit_id}/{found.kind}"
    same = (str(x.most) for x in others if (x.kind, x.limit.limit_id) == (found.kind, found.limit.limit_id))
    here, there = str(found.most), next(same, "")
    before, after = (here, there) if direction is Direction.LOOSENS else (there, here)
    return TermChange("limit", name, direction, before, after, asset if found.kind == AMOUNT else "")


def _people_changes(cell: Cell) -> Iterator[TermChange]:
    old, new = (_terms(side, cell) for side in cell.pair)
    if set(old) == set(new):
        return
    names = [item.rule.rule_id for side in cell.pair for item in cell.asking(side)]
    name = ", ".join(dict.fromkeys(names))
    before, after = _quorums(old), _quorums(new)
    if unmatched_terms(old, new) or can_stop_more(old, new):
        yield TermChange("approval", name, Direction.LOOSENS, before, after)
    if unmatched_terms(new, old) or can_stop_more(new, old):
        yield TermChange("approval", name, Direction.TIGHTENS, before, after)


def _terms(side: Side, cell: Cell) -> tuple[ApprovalTerms, ...]:
    return tuple(item.rule.approval for item in cell.asking(side) if item.rule.approval is not None)


def _quorums(terms: tuple[ApprovalTerms, ...]) -> str:
    return ", ".join(
        f"{t.quorum} of {'anyone' if t.approvers is None else '/'.join(sorted(t.approvers))}" for t in terms
    )


def _anomaly_changes(old: Mapping[ReasonCode, str], new: Mapping[ReasonCode, str]) -> Iterator[TermChange]:
    for field, code in CODES.items():
        before, after = old.get(code, ""), new.get(code, "")
        difference = _ACTIONS.index(after) - _ACTIONS.index(before)
        if difference:
            direction = Direction.TIGHTENS if difference > 0 else Direction.LOOSENS
            yield TermChange("anomaly", field, direction, before, after)


def _number(subject: str, before: int, after: int, *, more: Direction) -> Iterator[TermChange]:
    """Yield the change of a number that loosens or tightens as it grows."""
    if before != after:
        less = (Direction.TIGHTENS | Direction.LOOSENS) ^ more
        yield TermChange(subject, "", more if after > before else less, str(before), str(after))


def _held_until(side: Side, cell: Cell) -> int:
    """Return until when the recipient is held, Unix milliseconds; 0 without a hold."""
    policy = side.policy
    known_ms = policy.known_since(cell.recipient.address)
    return (known_ms or 0) + policy.new_recipient_hold_ms if policy.new_recipient_hold_ms else 0
