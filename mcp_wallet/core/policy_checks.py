"""What a well-shaped policy can still get wrong: names nobody has, bounds that exclude all, sums of apples and pears.

Each check yields findings, a place and a sentence, and looks only at parts that are well-shaped themselves, so that
one wrong field does not hide what is wrong elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.intent import TRANSFER
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy_language import (
    AddressList,
    Approval,
    Hours,
    LimitPart,
    ListReference,
    Match,
    PerTransaction,
    Rule,
    Validity,
    Window,
)
from mcp_wallet.core.policy_language import time_ms as time_of
from mcp_wallet.core.policy_nesting import nesting_findings
from mcp_wallet.core.policy_source import FieldPath, shown
from mcp_wallet.core.policy_terms import (
    amount_bounds,
    is_exact,
    met_assets,
    recipient_address,
    units_at_least,
    units_at_most,
)
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.wall_clock import is_zone

MIXED_ASSETS: Final = (
    "`maxAmount` adds up assets of one symbol with equal decimals: "
    "name one in `match.assets`, or put `asset` into `groupBy`"
)

Finding: TypeAlias = "tuple[FieldPath, str]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The well-shaped parts of a full policy, under the places where they stand.

    Args:
        ids: The id of each rule and limit, well-shaped or not.
        list_names: Names of all lists, well-shaped or not.
    """

    rules: Mapping[int, Rule]
    limits: Mapping[int, LimitPart]
    lists: Mapping[str, AddressList]
    ids: tuple[tuple[FieldPath, str], ...]
    list_names: frozenset[str]
    validity: Validity
    timezone: str


def full_findings(parts: Parts, *, registry: Registry, book: AddressBook) -> Iterator[Finding]:
    """Yield everything that is wrong with the full form's well-shaped parts."""
    checks = _Checks(parts=parts, registry=registry, book=book)
    yield from _repeated_ids(parts.ids)
    for name, entries in parts.lists.items():
        if isinstance(entries, list):
            yield from recipient_findings(entries, book, ("lists", name))
    sound: set[FieldPath] = set()
    for index, rule in parts.rules.items():
        path: FieldPath = ("rules", index)
        found = [*checks.match(rule.match, (*path, "match")), *checks.rule(rule, path)]
        yield from found
        sound |= set() if found else {path}
    for index, limit in parts.limits.items():
        path = ("limits", index)
        found = [*checks.match(limit.match, (*path, "match")), *checks.limit(limit, path)]
        yield from found
        sound |= set() if found else {path}
    yield from nesting_findings(
        {i: r for i, r in parts.rules.items() if ("rules", i) in sound},
        {i: x for i, x in parts.limits.items() if ("limits", i) in sound},
        registry=registry,
        book=book,
        timezone=parts.timezone,
    )
    yield from _time_findings(parts)


def recipient_findings(entries: Iterable[str], book: AddressBook, path: FieldPath) -> Iterator[Finding]:
    """Yield each entry that is neither an address nor a known payee."""
    for index, entry in enumerate(entries):
        try:
            recipient_address(entry, book)
        except CallerError as error:
            yield (*path, index), _lower(error.message)


def asset_findings(names: Iterable[str], registry: Registry, path: FieldPath) -> Iterator[Finding]:
    """Yield each name that no asset of the registry has."""
    for index, name in enumerate(names):
        if not registry.assets_of(name):
            known = ", ".join(dict.fromkeys(a.symbol for a in registry.assets))
            yield (*path, index), f"no asset is called {shown(name)}: use one of {known}, or a CAIP-19 id of one"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checks:
    parts: Parts
    registry: Registry
    book: AddressBook

    def match(self, match: Match, path: FieldPath) -> Iterator[Finding]:
        """Yield the names of a match that do not exist and bounds that nothing fits."""
        names = [*self._names(match, path)]
        yield from names
        recipients = match.recipients
        if isinstance(recipients, ListReference) and recipients.list not in self.parts.list_names:
            yield (*path, "recipients", "list"), f"no list is called {shown(recipients.list)} under `lists`"
        elif isinstance(recipients, list):
            yield from recipient_findings(recipients, self.book, (*path, "recipients"))
        if match.hours is not None:
            yield from _hours_findings(match.hours, (*path, "hours"))
        if not names:
            yield from self._reach(match, path)

    def rule(self, rule: Rule, path: FieldPath) -> Iterator[Finding]:
        """Yield what an effect needs and lacks, or has and must not have."""
        if rule.effect == "allow":
            yield from self._allow(rule, path)
        elif rule.per_transaction is not None:
            yield (*path, "perTransaction"), "`perTransaction` belongs to allow rules only"
        if rule.approval is not None and rule.effect != "requireApproval":
            yield (*path, "approval"), "`approval` belongs to requireApproval rules only"
        elif rule.approval is not None:
            yield from _approval_findings(rule.approval, (*path, "approval"))

    def limit(self, limit: LimitPart, path: FieldPath) -> Iterator[Finding]:
        """Yield a limit that limits nothing, or adds up what cannot be added."""
        if limit.max_amount is None and limit.max_count is None and limit.max_distinct_recipients is None:
            yield path, "a limit needs `maxAmount`, `maxCount` or `maxDistinctRecipients`"
        yield from _window_findings(limit.window, (*path, "window"))
        if len(set(limit.group_by)) < len(limit.group_by):
            yield (*path, "groupBy"), "`groupBy` names the same group twice"
        if limit.max_amount is None or not self._is_known(limit.match):
            return
        assets = met_assets(limit.match, self.registry)
        if "asset" not in limit.group_by and len({(a.symbol, a.decimals) for a in assets}) > 1:
            yield (*path, "maxAmount"), MIXED_ASSETS
        yield from self._amount(limit.max_amount, limit.match, (*path, "maxAmount"))

    def _names(self, match: Match, path: FieldPath) -> Iterator[Finding]:
        for index, name in enumerate(match.chains or ()):
            try:
                self.registry.chain(name)
            except CallerError as error:
                yield (*path, "chains", index), _lower(error.message)
        yield from asset_findings(match.assets or (), self.registry, (*path, "assets"))
        for index, name in enumerate(match.operations or ()):
            if name != TRANSFER:
                yield (*path, "operations", index), f"no operation is called {shown(name)}: use `{TRANSFER}`"

    def _reach(self, match: Match, path: FieldPath) -> Iterator[Finding]:
        """Yield assets that are on none of the chains, and bounds on the amount that exclude every amount."""
        if match.chains:
            chains = {self.registry.chain(name).chain_id for name in match.chains}
            for index, name in enumerate(match.assets or ()):
                if chains.isdisjoint(a.chain for a in self.registry.assets_of(name)):
                    yield (*path, "assets", index), f"the asset {shown(name)} is on none of the rule's chains"
        assets = met_assets(match, self.registry)
        if match.amount is not None and assets:
            bounds = [amount_bounds(match.amount, a.decimals) for a in assets]
            if all(low > high for low, high in bounds):
                yield (*path, "amount"), "these bounds exclude every amount"

    def _allow(self, rule: Rule, path: FieldPath) -> Iterator[Finding]:
        for part, value in (("assets", rule.match.assets), ("recipients", rule.match.recipients)):
            if value is None:
                hint = " (`recipients: any` for anyone)" if part == "recipients" else ""
                yield (*path, "match"), f"an allow rule must name its `{part}`{hint}"
        if rule.per_transaction is None:
            yield path, "an allow rule needs `perTransaction` with a `max`"
            return
        bounds = rule.per_transaction
        if not self._is_known(rule.match):
            return
        yield from self._amount(bounds.max, rule.match, (*path, "perTransaction", "max"))
        yield from self._minimum(bounds, rule.match, (*path, "perTransaction", "min"))

    def _minimum(self, bounds: PerTransaction, match: Match, path: FieldPath) -> Iterator[Finding]:
        if bounds.min is None:
            return
        assets = met_assets(match, self.registry)
        if any(units_at_least(bounds.min, a.decimals) > units_at_most(bounds.max, a.decimals) for a in assets):
            yield path, "`perTransaction.min` is above `max`"

    def _amount(self, text: str, match: Match, path: FieldPath) -> Iterator[Finding]:
        """Yield an amount that none of the assets can express, or that is less than one unit of one of them."""
        assets = met_assets(match, self.registry)
        if assets and not any(is_exact(text, a.decimals) for a in assets):
            most = max(a.decimals for a in assets)
            yield path, f"{shown(text)} has more decimal places than the asset: at most {most}"
        for asset in assets:
            if not units_at_most(text, asset.decimals):
                yield path, f"{shown(text)} is less than the smallest amount of {asset.unit}"
                return

    def _is_known(self, match: Match) -> bool:
        return not any(True for _ in self._names(match, ()))


def _repeated_ids(ids: Iterable[tuple[FieldPath, str]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for path, found in ids:
        if found in seen:
            yield (*path, "id"), f"the id {shown(found)} is used twice: rules and limits share their names"
        seen.add(found)


def _approval_findings(approval: Approval, path: FieldPath) -> Iterator[Finding]:
    approvers = approval.approvers
    if approvers is not None and approval.quorum > len(set(approvers)):
        yield (*path, "quorum"), f"a quorum of {approval.quorum} is above the {len(set(approvers))} approvers named"


def _time_findings(parts: Parts) -> Iterator[Finding]:
    not_before, expires_at = parts.validity.not_before, parts.validity.expires_at
    if not_before is not None and expires_at is not None and time_of(not_before) >= time_of(expires_at):
        yield ("validity", "expiresAt"), "`expiresAt` is not after `notBefore`"
    yield from _zone_findings(parts.timezone, ("timezone",))


def _hours_findings(hours: Hours, path: FieldPath) -> Iterator[Finding]:
    if hours.start in (hours.end, "24:00"):
        yield (*path, "end"), "`start` and `end` must be two times of day: for the whole day leave both out"
    if hours.timezone is not None:
        yield from _zone_findings(hours.timezone, (*path, "timezone"))


def _window_findings(window: Window, path: FieldPath) -> Iterator[Finding]:
    """Yield a window that is none or several of the three kinds, or a calendar that does not say where."""
    if sum(kind is not None for kind in (window.rolling, window.calendar, window.lifetime)) != 1:
        yield path, "a window is one of `rolling: 24h`, `calendar: day` with its `timezone`, and `lifetime: true`"
    elif window.calendar is not None and window.timezone is None:
        yield path, "a calendar window names its `timezone`, such as `Europe/London`"
    elif window.calendar is None and window.timezone is not None:
        yield (*path, "timezone"), "`timezone` belongs to calendar windows only"
    elif window.timezone is not None:
        yield from _zone_findings(window.timezone, (*path, "timezone"))


def _zone_findings(name: str, path: FieldPath) -> Iterator[Finding]:
    if not is_zone(name):
        yield path, f"{shown(name)} is not an IANA time zone such as `Europe/London`"


def _lower(message: str) -> str:
    return (message[0].lower() + message[1:]).rstrip(".")
