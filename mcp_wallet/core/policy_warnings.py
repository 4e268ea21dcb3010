"""What a policy may say and its author hardly means: it loads, and `policy validate` points it out.

Each warning is certain: a rule is called unreachable only when no payment at all can reach it.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import permutations
from typing import TypeVar

from mcp_wallet.core.address_set import INLINE_MAX
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.document import as_items, as_mapping, as_text
from mcp_wallet.core.identifiers import AssetId
from mcp_wallet.core.matching import Matcher
from mcp_wallet.core.policy_commitment import list_commitments
from mcp_wallet.core.policy_document import read_limits, read_lists, read_rules
from mcp_wallet.core.policy_language import Policy, ShortPolicy
from mcp_wallet.core.policy_source import FieldPath, shown
from mcp_wallet.core.rule_index import ALLOW, Rule
from mcp_wallet.core.windows import Calendar, Limit, Rolling, Window

Found = tuple[FieldPath, str]
T = TypeVar("T")

_ANY_UNITS = (0, 1 << 256)


def policy_warnings(policy: Policy, document: Mapping[str, Json]) -> tuple[str, ...]:
    """Return each warning as `file:line:column: sentence`; none for the short form, which cannot say such things.

    Args:
        policy: From `load_policy`.
        document: What it resolves to.
    """
    if isinstance(policy.body, ShortPolicy):
        return ()
    lists = read_lists(document)
    rules, limits = read_rules(document, lists), read_limits(document, lists, list_commitments(document))
    found = [*_anyone(rules), *_unused_lists(document), *_unreachable(rules), *_unbound(limits, rules)]
    problems = sorted(policy.source.problem(path, sentence) for path, sentence in found)
    return tuple(f"{policy.source.name}:{p.line}:{p.column}: {p.sentence}" for p in problems)


def _anyone(rules: Sequence[Rule]) -> Iterator[Found]:
    for index, rule in enumerate(rules):
        if rule.effect == ALLOW and rule.matcher.recipients is None:
            sentence = f"`{rule.rule_id}` can pay anyone: any address that the agent names"
            yield ("rules", index, "match", "recipients"), sentence


def _unused_lists(document: Mapping[str, Json]) -> Iterator[Found]:
    used = set()
    for part in (*as_items(document["rules"]), *as_items(document["limits"])):
        recipients = as_mapping(as_mapping(part)["match"]).get("recipients")
        if isinstance(recipients, Mapping):
            used.add(as_text(recipients["list"]))
    for name in as_mapping(document["lists"]):
        if name not in used:
            yield ("lists", name), f"the list {shown(name)} is used by no rule and no limit"


def _unreachable(rules: Sequence[Rule]) -> Iterator[Found]:
    """Yield rules that no payment matches, and those that only speak of payments which no allow rule admits."""
    allowing = [rule for rule in rules if rule.effect == ALLOW and not _never(rule)]
    for index, rule in enumerate(rules):
        path: FieldPath = ("rules", index)
        if _never(rule):
            yield path, f"`{rule.rule_id}` can never match: one of its parts admits nothing"
        elif rule.effect != ALLOW and not any(_overlap(rule.matcher, other) for other in allowing):
            yield path, f"`{rule.rule_id}` can never matter: no allow rule admits a payment that it matches"


def _unbound(limits: Sequence[Limit], rules: Sequence[Rule]) -> Iterator[Found]:
    """Yield limits that nothing counts in, and those that another limit always reaches first."""
    allowing = [rule for rule in rules if rule.effect == ALLOW and not _never(rule)]
    for index, limit in enumerate(limits):
        if not any(_overlap(limit.matcher, rule) for rule in allowing):
            yield ("limits", index), f"`{limit.limit_id}` can never bind: no allow rule admits a payment that it counts"
    for (index, limit), (other_index, other) in permutations(enumerate(limits), 2):
        field = _bound_by(limit, other)
        if field and (not _bound_by(other, limit) or index > other_index):
            sentence = f"`{limit.limit_id}` can never bind: `{other.limit_id}` is always reached first"
            yield ("limits", index, field), sentence


def _bound_by(limit: Limit, other: Limit) -> str:
    """Return the field of a limit that the other one, over the same payments and no shorter a time, makes idle."""
    if (limit.matcher, limit.group_by) != (other.matcher, other.group_by) or not _within(limit.window, other.window):
        return ""
    own, wide = limit.max_units_by_asset, other.max_units_by_asset
    pairs = {
        "maxAmount": own is not None and wide is not None and all(own[a] >= wide[a] for a in own),
        "maxCount": _is_idle(limit.max_count, other.max_count),
        "maxDistinctRecipients": _is_idle(limit.max_distinct_recipients, other.max_distinct_recipients),
    }
    set_fields = {
        "maxAmount": own is not None,
        "maxCount": limit.max_count is not None,
        "maxDistinctRecipients": limit.max_distinct_recipients is not None,
    }
    idle = [field for field, is_idle in pairs.items() if is_idle]
    return idle[0] if idle and len(idle) == sum(set_fields.values()) else ""


def _is_idle(own: int | None, wide: int | None) -> bool:
    return own is not None and wide is not None and own >= wide


def _within(inner: Window, outer: Window) -> bool:
    """Return whether the outer window always holds whatever the inner one holds."""
    if isinstance(inner, Rolling) and isinstance(outer, Rolling):
        return inner.span_ms <= outer.span_ms
    if isinstance(inner, Calendar) and isinstance(outer, Calendar):
        same_zone = inner.timezone == outer.timezone
        return same_zone and (inner.period == outer.period or (inner.period, outer.period) in _PARTS)
    return not isinstance(outer, Rolling | Calendar)


_PARTS = frozenset({("day", "week"), ("day", "month")})
"""Calendar periods that lie within another; a week may lie in two months."""


def _never(rule: Rule) -> bool:
    """Return whether no payment can match, or an allow rule's own bounds exclude every amount that matches."""
    matcher = rule.matcher
    parts = (
        matcher.agents,
        matcher.operations,
        matcher.chains,
        matcher.assets,
        matcher.recipients,
        matcher.categories,
        matcher.amounts,
        None if matcher.hours is None else matcher.hours.days,
    )
    return any(part is not None and not part for part in parts) or (bool(rule.bounds) and not _amounts_meet(rule))


def _amounts_meet(rule: Rule) -> bool:
    return any(_spans_meet(_span(rule.matcher, asset), bounds) for asset, bounds in rule.bounds.items())


def _overlap(matcher: Matcher, rule: Rule) -> bool:
    """Return whether some payment may match and be admitted by the allow rule; hours are taken to overlap."""
    other = rule.matcher
    sets_meet = (
        _meet(matcher.agents, other.agents)
        and _meet(matcher.operations, other.operations)
        and _meet(matcher.chains, other.chains)
        and _meet(matcher.assets, other.assets)
        and _recipients_meet(matcher.recipients, other.recipients)
        and _meet(matcher.categories, other.categories)
    )
    return sets_meet and any(
        _spans_meet(_span(matcher, asset), _spans_cut(_span(other, asset), bounds))
        for asset, bounds in rule.bounds.items()
        if matcher.assets is None or asset in matcher.assets
    )


def _meet(one: AbstractSet[T] | None, other: AbstractSet[T] | None) -> bool:
    return one is None or other is None or not one.isdisjoint(other)


def _recipients_meet(one: AbstractSet[T] | None, other: AbstractSet[T] | None) -> bool:
    """Return whether they meet; two long lists are taken to."""
    if one is None or other is None:
        return True
    short, long = sorted((one, other), key=len)
    return len(short) > INLINE_MAX or any(address in long for address in short)


def _span(matcher: Matcher, asset: AssetId) -> tuple[int, int]:
    """Return the fewest and most units of the asset that match."""
    return _ANY_UNITS if matcher.amounts is None else matcher.amounts.get(asset, (1, 0))


def _spans_cut(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), min(one[1], other[1])


def _spans_meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    low, high = _spans_cut(one, other)
    return low <= high
