"""The decision space of two policies, cut at the constants of both.

Inside one piece of it neither version can tell two payments apart, so one representative stands for all of them: an
agent for all agents that the same rules name, an asset for all that have the same bounds, an amount for all between two
bounds. Only constants of rules that still speak about the piece at hand cut it further.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.diff_recipients import Lists
from mcp_wallet.core.identifiers import AssetId, ChainId
from mcp_wallet.core.matching import Matcher
from mcp_wallet.core.policy_document import UNITS_MAX
from mcp_wallet.core.rule_index import ALLOW, Rule
from mcp_wallet.core.windows import Limit

OTHER_AGENT: Final = "any-other-agent"
OTHER_OPERATION: Final = "any-other-operation"
NO_CATEGORY: Final = ""
"""No match can name it: it stands for every category that none names."""

Key = tuple[object, ...]


class RuleItem(NamedTuple):
    """A rule as it speaks about one asset; amounts in base units, inclusive.

    Args:
        key: What the rule says, without its name: equal keys decide alike.
        low: Fewest units that it matches.
        minimum: Fewest units that an allow rule admits.
    """

    key: Key
    rule: Rule
    low: int
    high: int
    minimum: int
    maximum: int


class LimitItem(NamedTuple):
    """A limit as it speaks about one asset; `most_units` is its `maxAmount` there, None when it has none."""

    key: Key
    limit: Limit
    low: int
    high: int
    most_units: int | None


class Side(NamedTuple):
    """One version of the policy, as far as it still speaks about the piece at hand."""

    policy: CompiledPolicy
    rules: tuple[RuleItem, ...]
    limits: tuple[LimitItem, ...]

    def narrowed(self, keeps: Callable[[Matcher], bool]) -> "Side":
        """Return what still speaks once another part of the payment is known."""
        return Side(
            self.policy,
            tuple(item for item in self.rules if keeps(item.rule.matcher)),
            tuple(item for item in self.limits if keeps(item.limit.matcher)),
        )

    def said(self) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        """Return what rules and limits say, in the policy's order."""
        return tuple(item.key for item in self.rules), tuple(item.key for item in self.limits)

    def says(self) -> tuple[frozenset[Key], frozenset[Key]]:
        """Return what rules and limits say, without names and order."""
        return frozenset(item.key for item in self.rules), frozenset(item.key for item in self.limits)

    def matchers(self) -> Iterator[Matcher]:
        """Yield every match that still speaks."""
        yield from (item.rule.matcher for item in self.rules)
        yield from (item.limit.matcher for item in self.limits)


class Pair(NamedTuple):
    """The old version and the new one."""

    old: Side
    new: Side

    def narrowed(self, keeps: Callable[[Matcher], bool]) -> "Pair":
        """See `Side.narrowed`."""
        return Pair(self.old.narrowed(keeps), self.new.narrowed(keeps))

    def says_the_same(self) -> bool:
        """Return whether rules and limits decide alike on both sides."""
        return self.old.says() == self.new.says()

    def matchers(self) -> Iterator[Matcher]:
        """Yield every match of both sides."""
        yield from self.old.matchers()
        yield from self.new.matchers()


class Piece(NamedTuple):
    """Agents and assets that both versions treat alike; the first of each stands for them."""

    agents: tuple[str, ...]
    assets: tuple[AssetId, ...]
    pair: Pair


def pieces(old: CompiledPolicy, new: CompiledPolicy, lists: Lists) -> Iterator[Piece]:
    """Yield the space cut by agents and assets; an asset that no allow rule names is denied by both and left out."""
    for agents, rules, limits in _agent_groups(old, new):
        groups: dict[Key, list[AssetId]] = {}
        pairs: dict[Key, Pair] = {}
        for asset in _admitted_assets((*rules[0], *rules[1])):
            pair = Pair(_side(old, rules[0], limits[0], asset, lists), _side(new, rules[1], limits[1], asset, lists))
            caps = tuple(policy.fee_caps.get(chain_of(asset)) for policy in (old, new))
            key: Key = (caps, *(side.said() for side in pair))
            groups.setdefault(key, []).append(asset)
            pairs.setdefault(key, pair)
        for key, assets in groups.items():
            yield Piece(agents, tuple(assets), pairs[key])


def chain_of(asset: AssetId) -> ChainId:
    """Return the chain that a CAIP-19 id names."""
    return ChainId(asset.partition("/")[0])


def operations_of(pair: Pair) -> tuple[str, ...]:
    """Return a representative of each operation that can be told apart; denied by both where none is allowed."""
    named = {operation for m in pair.matchers() for operation in m.operations or ()}
    allowing = [item.rule.matcher for side in pair for item in side.rules if item.rule.effect == ALLOW]
    others = (unused(OTHER_OPERATION, named),) if any(m.operations is None for m in allowing) else ()
    return (*sorted(named), *others)


def categories_of(pair: Pair) -> tuple[str, ...]:
    """Return a representative of each category that can be told apart."""
    return (NO_CATEGORY, *sorted({category for m in pair.matchers() for category in m.categories or ()}))


def amounts_of(pair: Pair) -> tuple[tuple[int, int], ...]:
    """Return the stretches of amounts, in base units, within which nothing changes; together all that there are."""
    cuts = {1}
    for side in pair:
        for rule in side.rules:
            cuts.update((rule.low, rule.high + 1, rule.minimum, rule.maximum + 1))
        for limit in side.limits:
            cuts.update((limit.low, limit.high + 1, UNITS_MAX if limit.most_units is None else limit.most_units + 1))
    starts = sorted(cut for cut in cuts if 1 <= cut <= UNITS_MAX)
    return tuple(zip(starts, [*(start - 1 for start in starts[1:]), UNITS_MAX], strict=True))


def unused(name: str, taken: Iterable[str]) -> str:
    """Return the name, or one like it that is not taken."""
    known = set(taken)
    while name in known:
        name += "-"
    return name


Rules = tuple[tuple[Rule, ...], tuple[Rule, ...]]
Limits = tuple[tuple[Limit, ...], tuple[Limit, ...]]


def _agent_groups(old: CompiledPolicy, new: CompiledPolicy) -> Iterator[tuple[tuple[str, ...], Rules, Limits]]:
    versions = (old, new)
    every = [m for policy in versions for m in _matchers(policy)]
    named = {agent for m in every for agent in m.agents or ()}
    groups: dict[Key, list[str]] = {}
    for agent in (*sorted(named), unused(OTHER_AGENT, named)):
        groups.setdefault(tuple(m.agents is None or agent in m.agents for m in every), []).append(agent)
    for members in groups.values():
        agent = members[0]
        rules = [tuple(r for r in policy.rules if _names(r.matcher, agent)) for policy in versions]
        limits = [tuple(x for x in policy.limits if _names(x.matcher, agent)) for policy in versions]
        yield tuple(members), (rules[0], rules[1]), (limits[0], limits[1])


def _matchers(policy: CompiledPolicy) -> Iterator[Matcher]:
    yield from (rule.matcher for rule in policy.rules)
    yield from (limit.matcher for limit in policy.limits)


def _names(matcher: Matcher, agent: str) -> bool:
    return matcher.agents is None or agent in matcher.agents


def _admitted_assets(rules: Iterable[Rule]) -> list[AssetId]:
    return sorted({asset for rule in rules if rule.effect == ALLOW for asset in rule.bounds if _meets(rule, asset)})


def _meets(rule: Rule, asset: AssetId) -> bool:
    return _fits(rule.matcher, asset) and (rule.effect != ALLOW or asset in rule.bounds)


def _fits(matcher: Matcher, asset: AssetId) -> bool:
    return (
        (matcher.chains is None or chain_of(asset) in matcher.chains)
        and (matcher.assets is None or asset in matcher.assets)
        and (matcher.amounts is None or asset in matcher.amounts)
    )


def _side(
    policy: CompiledPolicy, rules: tuple[Rule, ...], limits: tuple[Limit, ...], asset: AssetId, lists: Lists
) -> Side:
    return Side(
        policy,
        tuple(_rule_item(rule, asset, lists) for rule in rules if _meets(rule, asset)),
        tuple(_limit_item(limit, asset) for limit in limits if _fits(limit.matcher, asset)),
    )


def _rule_item(rule: Rule, asset: AssetId, lists: Lists) -> RuleItem:
    m, terms = rule.matcher, rule.approval
    low, high = (1, UNITS_MAX) if m.amounts is None else m.amounts[asset]
    minimum, maximum = rule.bounds.get(asset, (1, UNITS_MAX))
    number = None if m.recipients is None else lists.number(m.recipients)
    key = (rule.effect, m.operations, m.categories, number, m.hours, low, high, minimum, maximum, terms)
    return RuleItem(key, rule, low, high, minimum, maximum)


def _limit_item(limit: Limit, asset: AssetId) -> LimitItem:
    low, high = (1, UNITS_MAX) if limit.matcher.amounts is None else limit.matcher.amounts[asset]
    most = None if limit.max_units_by_asset is None else limit.max_units_by_asset.get(asset, 0)
    return LimitItem((limit.key, most, limit.max_count, limit.max_distinct_recipients), limit, low, high, most)
