"""Compiled rules behind an index: what speaks about a payment is found by look-up, not by walking the policy.

Rules and limits are gathered per (agent, chain, asset) with wildcards already merged in, and within that per
recipient, so the cost of a decision does not grow with the number of rules nor with the length of their lists. Small
lists are merged into one dictionary; a large one stays the one set that every rule naming it shares.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

from mcp_wallet.core.address_set import INLINE_MAX
from mcp_wallet.core.decision import Reason
from mcp_wallet.core.identifiers import AssetId, ChainId
from mcp_wallet.core.matching import Matcher
from mcp_wallet.core.votes import ApprovalTerms
from mcp_wallet.core.wall_clock import Hours
from mcp_wallet.core.windows import Limit

ALLOW: Final = "allow"
DENY: Final = "deny"
REQUIRE_APPROVAL: Final = "requireApproval"

MERGED_RECIPIENTS_MAX: Final = INLINE_MAX
"""A longer list is not copied into an index: it is looked up as the set that it is."""

_ANY_UNITS: Final = (0, 1 << 256)
_NO_UNITS: Final = (1, 0)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, amounts in base units.

    Args:
        bounds: An allow rule's `perTransaction` (min, max) per asset, inclusive; empty for other effects.
        admits: What is said when this rule admits a payment.
        approval: What a requireApproval rule asks for; None for other effects.
    """

    rule_id: str
    effect: str
    pointer: str
    matcher: Matcher
    bounds: dict[AssetId, tuple[int, int]]
    admits: Reason
    approval: ApprovalTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A rule as it speaks about one asset, once agent, chain, asset and recipient fit."""

    rule: Rule
    operations: frozenset[str] | None
    categories: frozenset[str] | None
    low_units: int
    high_units: int
    minimum_units: int
    maximum_units: int

    def matches(self, operation: str, category: str, units: int) -> bool:
        """Return whether the rest of the match holds."""
        return (
            self.low_units <= units <= self.high_units
            and (self.operations is None or operation in self.operations)
            and (self.categories is None or category in self.categories)
        )


class RecipientTable(Generic[T]):
    """Items by the recipients that they name; None names everyone."""

    __slots__ = ("_anyone", "_by_address", "_large", "items")

    def __init__(self, items: Iterable[tuple[AbstractSet[str] | None, T]]) -> None:
        """Index the items; they are found again in the order given, those with large lists last."""
        listed = list(items)
        self.items: tuple[T, ...] = tuple(item for _, item in listed)
        self._anyone = tuple(item for recipients, item in listed if recipients is None)
        large: dict[int, tuple[AbstractSet[str], list[T]]] = {}
        small: set[str] = set()
        for recipients, item in listed:
            if recipients is not None and len(recipients) > MERGED_RECIPIENTS_MAX:
                large.setdefault(id(recipients), (recipients, []))[1].append(item)
            elif recipients is not None:
                small |= recipients
        merged: dict[str, list[T]] = {address: [] for address in small}
        for recipients, item in listed:
            if recipients is None or len(recipients) <= MERGED_RECIPIENTS_MAX:
                for address in small if recipients is None else recipients:
                    merged[address].append(item)
        self._by_address = {address: tuple(found) for address, found in merged.items()}
        self._large = tuple((recipients, tuple(found)) for recipients, found in large.values())

    def candidates(self, to: str) -> tuple[T, ...]:
        """Return the items that name this recipient."""
        found = self._by_address.get(to, self._anyone)
        for recipients, items in self._large:
            if to in recipients:
                found += items
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What speaks about one (agent, chain, asset).

    Args:
        per_transaction_max: The most that one payment may be under any allow rule, in base units; None when no allow
            rule speaks of it.
        plain_limits: All limits in the policy's order, when none of them looks at anything further; else None.
        hours: Those that some rule here is bound to; empty for most policies, which then never ask for the time.
    """

    allow: RecipientTable[Fit]
    deny: RecipientTable[Fit]
    approval: RecipientTable[Fit]
    per_transaction_max: int | None
    limits: tuple[Limit, ...]
    plain_limits: tuple[Limit, ...] | None
    hours: tuple[Hours, ...]
    _open: dict[tuple[bool, ...], "Bucket"] = field(default_factory=dict, repr=False, compare=False)

    def open_at(self, at_ms: int) -> "Bucket":
        """Return the bucket of the rules whose hours cover the moment; one a pattern of hours, then looked up."""
        pattern = tuple(hours.covers(at_ms) for hours in self.hours)
        found = self._open.get(pattern)
        if found is None:
            closed = frozenset(h for h, is_open in zip(self.hours, pattern, strict=True) if not is_open)
            found = self._open[pattern] = replace(
                self,
                allow=_without(self.allow, closed),
                deny=_without(self.deny, closed),
                approval=_without(self.approval, closed),
                hours=(),
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one agent's allow rules admit, part by part: tells which list it was that refused."""

    rules: RecipientTable[Rule]
    assets: frozenset[AssetId]
    chains: frozenset[ChainId] | None
    operations: frozenset[str] | None
    categories: frozenset[str] | None
    hours: frozenset[Hours] | None

    def is_open_at(self, at_ms: int) -> bool:
        """Return whether the hours of some rule cover the moment."""
        return self.hours is None or any(hours.covers(at_ms) for hours in self.hours)


def bucket_of(rules: Sequence[Rule], limits: Sequence[Limit], *, agent: str, chain: ChainId, asset: AssetId) -> Bucket:
    """Return everything that speaks about this agent, chain and asset, the rules ordered by id."""
    fitting = sorted((r for r in rules if _fits(r.matcher, agent, chain, asset)), key=lambda r: r.rule_id)
    counting = tuple(limit for limit in limits if _fits(limit.matcher, agent, chain, asset))
    allow = _table(fitting, ALLOW, asset)
    return Bucket(
        allow=allow,
        deny=_table(fitting, DENY, asset),
        approval=_table(fitting, REQUIRE_APPROVAL, asset),
        per_transaction_max=max((min(fit.maximum_units, fit.high_units) for fit in allow.items), default=None),
        limits=counting,
        plain_limits=counting if all(_is_plain(limit.matcher) for limit in counting) else None,
        hours=tuple(dict.fromkeys(r.matcher.hours for r in fitting if r.matcher.hours is not None)),
    )


def scope_of(rules: Sequence[Rule], *, agent: str) -> Scope:
    """Return what the agent's allow rules admit, part by part; None where one of them admits everything."""
    allowing = [r for r in rules if r.effect == ALLOW and (r.matcher.agents is None or agent in r.matcher.agents)]
    matchers = [r.matcher for r in allowing]
    return Scope(
        rules=RecipientTable((r.matcher.recipients, r) for r in allowing),
        assets=_union(m.assets for m in matchers) or frozenset(),
        chains=_union(m.chains for m in matchers),
        operations=_union(m.operations for m in matchers),
        categories=_union(m.categories for m in matchers),
        hours=_union(None if m.hours is None else frozenset((m.hours,)) for m in matchers),
    )


def _union(parts: Iterable[frozenset[T] | None]) -> frozenset[T] | None:
    union: set[T] = set()
    for part in parts:
        if part is None:
            return None
        union |= part
    return frozenset(union)


def _fits(matcher: Matcher, agent: str, chain: ChainId, asset: AssetId) -> bool:
    return (
        (matcher.agents is None or agent in matcher.agents)
        and (matcher.chains is None or chain in matcher.chains)
        and (matcher.assets is None or asset in matcher.assets)
        and (matcher.amounts is None or asset in matcher.amounts)
    )


def _is_plain(matcher: Matcher) -> bool:
    return (matcher.operations, matcher.recipients, matcher.categories, matcher.amounts, matcher.hours) == (None,) * 5


def _without(table: RecipientTable[Fit], closed: frozenset[Hours]) -> RecipientTable[Fit]:
    fits = [fit for fit in table.items if fit.rule.matcher.hours not in closed]
    return RecipientTable((fit.rule.matcher.recipients, fit) for fit in fits)


def _table(rules: Iterable[Rule], effect: str, asset: AssetId) -> RecipientTable[Fit]:
    return RecipientTable((r.matcher.recipients, _fit(r, asset)) for r in rules if r.effect == effect)


def _fit(rule: Rule, asset: AssetId) -> Fit:
    matcher = rule.matcher
    low, high = _ANY_UNITS if matcher.amounts is None else matcher.amounts[asset]
    minimum, maximum = rule.bounds.get(asset, _NO_UNITS)
    return Fit(
        rule=rule,
        operations=matcher.operations,
        categories=matcher.categories,
        low_units=low,
        high_units=high,
        minimum_units=minimum,
        maximum_units=maximum,
    )
