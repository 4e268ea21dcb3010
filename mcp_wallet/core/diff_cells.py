"""Every piece of the decision space in which two versions of a policy may decide differently, and what they decide.

What rules, validity, holds and look-alikes say about a piece is settled by the piece alone. Limits, cooldown, votes and
fees depend on a past, on people and on the chain: they are compared as what they refuse (`diff_terms`).
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.diff_moments import moments_of
from mcp_wallet.core.diff_recipients import Lists, Recipient
from mcp_wallet.core.diff_space import (
    Pair,
    Piece,
    RuleItem,
    Side,
    amounts_of,
    categories_of,
    chain_of,
    operations_of,
    pieces,
)
from mcp_wallet.core.identifiers import AssetId
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.rule_index import ALLOW, DENY, REQUIRE_APPROVAL
from mcp_wallet.core.wall_clock import Hours

LOOK_FROM_MS: Final = 1_893_456_000_000
"""2030-01-01: where a moment is looked for when nothing else bounds it."""
CELLS_MAX: Final = 300_000
"""More pieces than this are not compared: the change counts as both."""


class TooManyPieces(Exception):  # noqa: N818  says what there is
    """Two policies cut the decision space into more pieces than are compared."""


class Cell(NamedTuple):
    """One piece: payments that neither version can tell apart, and what each says of them by its rules.

    Args:
        low: Fewest base units of the piece; `high` the most.
        at_ms: One of its moments.
        pair: What of both versions speaks about it.
    """

    agents: tuple[str, ...]
    assets: tuple[AssetId, ...]
    recipient: Recipient
    operation: str
    category: str
    at_ms: int
    low: int
    high: int
    before: Outcome
    after: Outcome
    pair: Pair

    def payment(self, units: int) -> Payment:
        """Return one payment of the piece."""
        asset = self.assets[0]
        return Payment(
            agent=self.agents[0],
            operation=self.operation,
            chain=chain_of(asset),
            asset=asset,
            to=self.recipient.address,
            category=self.category,
            amount_units=units,
            at_ms=self.at_ms,
        )

    def asking(self, side: Side) -> tuple[RuleItem, ...]:
        """Return the approval rules of one side that match."""
        return tuple(item for item in _speaking(side, REQUIRE_APPROVAL, self.low))


def cells_of(old: CompiledPolicy, new: CompiledPolicy) -> Iterator[Cell]:
    """Yield the pieces in which the versions may differ.

    Raises:
        TooManyPieces: When there are more than `CELLS_MAX`.
    """
    for count, cell in enumerate(_Cutter(old, new).cells()):
        if count >= CELLS_MAX:
            raise TooManyPieces
        yield cell


class _Cutter:
    """Cuts one part of the payment after the other, and drops what both versions treat alike."""

    def __init__(self, old: CompiledPolicy, new: CompiledPolicy) -> None:
        self._old, self._new = old, new
        matchers = [r.matcher for p in (old, new) for r in p.rules] + [x.matcher for p in (old, new) for x in p.limits]
        self._lists = Lists.of(matchers)
        self._recipients = self._lists.recipients(old, new)
        self._is_same_elsewhere = _terms_of(old) == _terms_of(new)
        self._differs_in_recipients = any(not self._is_same_for(recipient) for recipient in self._recipients)
        holds_ms = max(old.new_recipient_hold_ms, new.new_recipient_hold_ms)
        since = [known for recipient in self._recipients for known in recipient.known if known is not None]
        self._from_ms = max(LOOK_FROM_MS, max(since, default=0) + holds_ms)
        edges = (old.not_before_ms, old.expires_at_ms, new.not_before_ms, new.expires_at_ms)
        self._edges = [edge for edge in edges if edge is not None]
        self._found_moments: dict[frozenset[Hours], tuple[int, ...]] = {}

    def cells(self) -> Iterator[Cell]:
        """Yield the pieces in which the versions may differ."""
        for piece in pieces(self._old, self._new, self._lists):
            chain = chain_of(piece.assets[0])
            same = self._is_same_elsewhere and self._old.fee_caps.get(chain) == self._new.fee_caps.get(chain)
            if not (same and not self._differs_in_recipients and piece.pair.says_the_same()):
                for recipient in self._told_apart(piece):
                    yield from self._of_recipient(piece, recipient, same=same and self._is_same_for(recipient))

    def _of_recipient(self, piece: Piece, recipient: Recipient, *, same: bool) -> Iterator[Cell]:
        pair = piece.pair.narrowed(lambda m: self._lists.names(m, recipient))
        for operation in operations_of(pair):
            doing = pair.narrowed(lambda m, x=operation: m.operations is None or x in m.operations)  # type: ignore[misc]
            for category in categories_of(doing):
                kind = doing.narrowed(lambda m, x=category: m.categories is None or x in m.categories)  # type: ignore[misc]
                if not (same and kind.says_the_same()):
                    for at_ms in self._moments(kind):
                        yield from self._amounts(piece, recipient, operation, category, kind, at_ms, same=same)

    def _amounts(  # noqa: PLR0917  the parts of a payment, in their order
        self, piece: Piece, recipient: Recipient, operation: str, category: str, pair: Pair, at_ms: int, *, same: bool
    ) -> Iterator[Cell]:
        then = pair.narrowed(lambda m: m.hours is None or m.hours.covers(at_ms))
        if same and then.says_the_same():
            return
        is_open = [_is_open(side.policy, recipient, at_ms) for side in then]
        for low, high in amounts_of(then):
            before, after = (
                _outcome(side, low) if opened else Outcome.DENY for side, opened in zip(then, is_open, strict=True)
            )
            if (before, after) != (Outcome.DENY, Outcome.DENY):
                yield Cell(
                    piece.agents, piece.assets, recipient, operation, category, at_ms, low, high, before, after, then
                )

    def _moments(self, pair: Pair) -> tuple[int, ...]:
        hours = frozenset(m.hours for m in pair.matchers() if m.hours is not None)
        found = self._found_moments.get(hours)
        if found is None:
            found = self._found_moments[hours] = moments_of(hours, self._edges, from_ms=self._from_ms)
        return found

    def _told_apart(self, piece: Piece) -> Iterator[Recipient]:
        """Yield one recipient for each combination of those lists that this piece names."""
        used = {self._lists.number(m.recipients) for m in piece.pair.matchers() if m.recipients is not None}
        seen: dict[tuple[object, ...], Recipient] = {}
        for recipient in self._recipients:
            listed = self._old.lists(recipient.address), self._new.lists(recipient.address)
            key = (recipient.lists & used, recipient.known, recipient.imitates, listed if recipient.imitates else ())
            known = seen.get(key)
            seen[key] = recipient if known is None else known._replace(number=_sum(known.number, recipient.number))
        yield from seen.values()

    def _is_same_for(self, recipient: Recipient) -> bool:
        """Return whether holds and look-alikes treat the recipient alike in both versions."""
        address = recipient.address
        return recipient.known[0] == recipient.known[1] and (
            not recipient.imitates or self._old.lists(address) == self._new.lists(address)
        )


def _outcome(side: Side, units: int) -> Outcome:
    """Return what rules and maxima of one version say about an amount that nothing was spent before."""
    admitted = any(item.minimum <= units <= item.maximum for item in _speaking(side, ALLOW, units))
    exceeded = any(x.most_units is not None and x.low <= units <= x.high and units > x.most_units for x in side.limits)
    if not admitted or exceeded or any(True for _ in _speaking(side, DENY, units)):
        return Outcome.DENY
    asked = any(True for _ in _speaking(side, REQUIRE_APPROVAL, units))
    return Outcome.REQUIRE_APPROVAL if asked else Outcome.ALLOW


def _speaking(side: Side, effect: str, units: int) -> Iterator[RuleItem]:
    return (item for item in side.rules if item.rule.effect == effect and item.low <= units <= item.high)


def _is_open(policy: CompiledPolicy, recipient: Recipient, at_ms: int) -> bool:
    """Return whether validity, hold and look-alikes let anything pass at all."""
    if (policy.not_before_ms or 0) > at_ms or (policy.expires_at_ms is not None and at_ms >= policy.expires_at_ms):
        return False
    if recipient.imitates and not policy.lists(recipient.address):
        return False
    known_ms = policy.known_since(recipient.address)
    hold_ms = policy.new_recipient_hold_ms
    return not hold_ms or (known_ms is not None and at_ms - known_ms >= hold_ms)


def _terms_of(policy: CompiledPolicy) -> tuple[object, ...]:
    """Return what bears on every payment of a version, whatever it is."""
    return (
        policy.not_before_ms,
        policy.expires_at_ms,
        policy.cooldown_ms,
        policy.new_recipient_hold_ms,
        policy.pending_max,
        policy.approval_ttl_ms,
        dict(policy.anomaly),
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
