"""Reading a resolved policy document: its rules and limits as the types that decide.

The document is one that `resolve_policy` made: anything else is a `KeyError`, `TypeError` or `ValueError`, which
`compile_policy` turns into a refusal.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from mcp_wallet.core.address_set import INLINE_MAX, AddressSet, ListCommitment
from mcp_wallet.core.anomaly import ACTIONS, CODES
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.decision import Reason
from mcp_wallet.core.document import as_items, as_mapping, as_text, as_texts, number_at
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.matching import Matcher
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.rule_index import REQUIRE_APPROVAL, Rule
from mcp_wallet.core.votes import ApprovalTerms
from mcp_wallet.core.wall_clock import PERIODS, WEEKDAYS, Hours, is_zone, minute_of
from mcp_wallet.core.windows import Calendar, Lifetime, Limit, Rolling, Window

UNITS_MAX: Final = (1 << 256) - 1

Lists = Mapping[str, AbstractSet[Address]]
"""The policy's lists, each one set that everything naming it shares."""


def read_lists(document: Mapping[str, Json]) -> dict[str, AbstractSet[Address]]:
    """Return the lists by name; `TypeError` for a commitment without its addresses."""
    return {name: _list(found) for name, found in as_mapping(document["lists"]).items()}


def _list(found: Json) -> AbstractSet[Address]:
    if isinstance(found, ListCommitment):
        return found.addresses
    texts = as_texts(found)
    return AddressSet.of(texts) if len(texts) > INLINE_MAX else frozenset(Address(a) for a in texts)


def read_rules(document: Mapping[str, Json], lists: Lists) -> tuple[Rule, ...]:
    """Return the rules in the document's order."""
    return tuple(_rule(as_mapping(r), i, lists) for i, r in enumerate(as_items(document["rules"])))


def read_limits(document: Mapping[str, Json], lists: Lists, commitments: Mapping[str, Json]) -> tuple[Limit, ...]:
    """Return the limits in the document's order; `commitments` name the lists' contents in their keys."""
    return tuple(_limit(as_mapping(x), i, lists, commitments) for i, x in enumerate(as_items(document["limits"])))


def _rule(rule: Mapping[str, Json], index: int, lists: Lists) -> Rule:
    bounds = {
        AssetId(asset): (number_at(as_mapping(b), "min") or 0, int(as_text(as_mapping(b)["max"])))
        for asset, b in as_mapping(rule.get("perTransaction", {})).items()
    }
    rule_id, pointer = as_text(rule["id"]), f"/rules/{index}"
    return Rule(
        rule_id=rule_id,
        effect=as_text(rule["effect"]),
        pointer=pointer,
        matcher=_matcher(as_mapping(rule["match"]), lists),
        bounds=bounds,
        admits=Reason(code=ReasonCode.OK, rule=rule_id, pointer=pointer),
        approval=_terms(as_mapping(rule["approval"])) if rule["effect"] == REQUIRE_APPROVAL else None,
    )


def _terms(approval: Mapping[str, Json]) -> ApprovalTerms:
    approvers = approval.get("approvers")
    return ApprovalTerms(
        quorum=int(as_text(approval["quorum"])),
        approvers=None if approvers is None else frozenset(as_texts(approvers)),
        exclude_requester=approval["excludeRequester"] is not False,
        ttl_ms=int(as_text(approval["ttl"])),
        channel=as_text(approval["channel"]),
    )


def _limit(limit: Mapping[str, Json], index: int, lists: Lists, commitments: Mapping[str, Json]) -> Limit:
    match = as_mapping(limit["match"])
    window = _window(as_mapping(limit["window"]))
    maxima = limit.get("maxAmount")
    group_by = tuple(as_texts(limit["groupBy"]))
    recipients = match.get("recipients")
    named = commitments[as_text(recipients["list"])] if isinstance(recipients, Mapping) else recipients
    identity: Json = {"match": {**match, "recipients": named}, "window": window.name, "groupBy": group_by}
    return Limit(
        limit_id=as_text(limit["id"]),
        pointer=f"/limits/{index}",
        key=canonical_bytes(identity).decode(),
        matcher=_matcher(match, lists),
        window=window,
        group_by=group_by,
        max_units_by_asset=None if maxima is None else {a: int(as_text(u)) for a, u in as_mapping(maxima).items()},
        max_count=number_at(limit, "maxCount"),
        max_distinct_recipients=number_at(limit, "maxDistinctRecipients"),
    )


def read_anomaly(document: Mapping[str, Json]) -> dict[ReasonCode, str]:
    """Return what each test that the policy asks for leads to."""
    asked = {CODES[field]: as_text(action) for field, action in as_mapping(document.get("anomaly", {})).items()}
    if not ACTIONS.issuperset(asked.values()):
        raise ValueError("no such action")
    return asked


def _window(window: Mapping[str, Json]) -> Window:
    if "rolling" in window:
        return Rolling(int(as_text(window["rolling"])))
    if "calendar" in window:
        period, timezone = as_text(window["calendar"]), as_text(window["timezone"])
        if period not in PERIODS or not is_zone(timezone):
            raise ValueError("no such calendar window")
        return Calendar(period, timezone)
    if window["lifetime"] is not True:
        raise ValueError("no such window")
    return Lifetime()


def _hours(hours: Mapping[str, Json]) -> Hours:
    timezone = as_text(hours["timezone"])
    if not is_zone(timezone):
        raise ValueError("no such time zone")
    return Hours(
        days=frozenset(WEEKDAYS.index(day) for day in as_texts(hours["days"])),
        start_minute=minute_of(as_text(hours["start"])),
        end_minute=minute_of(as_text(hours["end"])),
        timezone=timezone,
    )


def _matcher(match: Mapping[str, Json], lists: Lists) -> Matcher:
    names = {part: frozenset(as_texts(match[part])) for part in ("agents", "operations", "categories") if part in match}
    amounts = match.get("amount")
    return Matcher(
        agents=names.get("agents"),
        operations=names.get("operations"),
        chains=frozenset(ChainId(c) for c in as_texts(match["chains"])) if "chains" in match else None,
        assets=frozenset(AssetId(a) for a in as_texts(match["assets"])) if "assets" in match else None,
        recipients=_recipients(match["recipients"], lists) if "recipients" in match else None,
        categories=names.get("categories"),
        amounts=None
        if amounts is None
        else {AssetId(a): _bounds(as_mapping(b)) for a, b in as_mapping(amounts).items()},
        hours=_hours(as_mapping(match["hours"])) if "hours" in match else None,
    )


def _recipients(value: Json, lists: Lists) -> AbstractSet[Address]:
    if isinstance(value, Mapping):
        return lists[as_text(value["list"])]
    return frozenset(Address(a) for a in as_texts(value))


def _bounds(bounds: Mapping[str, Json]) -> tuple[int, int]:
    high = number_at(bounds, "max")
    return number_at(bounds, "min") or 0, UNITS_MAX if high is None else high
