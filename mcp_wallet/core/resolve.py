"""The resolved policy: self-contained, and the hash that names it.

Files are read, payee names turned into addresses, short names into CAIP ids, amounts into base units, durations into
milliseconds: whoever holds the document can decide again without this machine. All values are text.
"""

from collections.abc import Callable
from typing import Final

from mcp_wallet.core.address_lines import read_addresses
from mcp_wallet.core.address_set import INLINE_MAX, ListCommitment
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.intent import TRANSFER
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy_commitment import policy_hash
from mcp_wallet.core.policy_language import (
    GROUPS,
    AddressList,
    Approval,
    FileReference,
    FullPolicy,
    LimitPart,
    Policy,
    Rule,
    ShortPolicy,
    Window,
    duration_ms,
    time_ms,
)
from mcp_wallet.core.policy_terms import (
    met_assets,
    recipient_address,
    resolved_match,
    sorted_once,
    units_at_least,
    units_at_most,
)
from mcp_wallet.core.registry import Registry

__all__ = ["policy_hash", "resolve_policy"]

WHITELIST: Final = "recipientWhitelist"
"""The short form's only list, and the id of its only rule."""
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000


def resolve_policy(
    policy: Policy, *, registry: Registry, book: AddressBook, read_list: Callable[[str], str]
) -> dict[str, Json]:
    """Return the resolved document of a policy that loaded with the same registry and book.

    Args:
        policy: From `load_policy`.
        registry: Chains and assets.
        book: Payees.
        read_list: Returns the text of a list file by the name that the policy gives.

    Raises:
        OwnerError: `POLICY_INVALID` with the lines of a list file that are neither an address nor a payee.
    """
    if isinstance(policy.body, ShortPolicy):
        return _short_document(policy.body, policy.policy_id, registry=registry, book=book)
    return _full_document(policy.body, registry=registry, book=book, read_list=read_list)


def _full_document(
    body: FullPolicy, *, registry: Registry, book: AddressBook, read_list: Callable[[str], str]
) -> dict[str, Json]:
    validity = {"notBefore": body.validity.not_before, "expiresAt": body.validity.expires_at}
    durations = {"cooldown": body.cooldown, "newRecipientHold": body.new_recipient_hold}
    return {
        "version": "1",
        "id": body.id,
        "timezone": body.timezone,
        "disclosure": body.disclosure,
        "lists": {name: _list(entries, book, read_list) for name, entries in body.lists.items()},
        "rules": [_rule(rule, registry, book, body.timezone) for rule in body.rules],
        "limits": [_limit(limit, registry, book, body.timezone) for limit in body.limits],
        "validity": {field: str(time_ms(text)) for field, text in validity.items() if text is not None},
        **{field: str(duration_ms(text)) for field, text in durations.items() if text is not None},
        **({} if body.anomaly is None else {"anomaly": body.anomaly.model_dump(by_alias=True, exclude_none=True)}),
    }


def _rule(rule: Rule, registry: Registry, book: AddressBook, timezone: str) -> Json:
    match = resolved_match(rule.match, registry=registry, book=book, timezone=timezone)
    if rule.effect == "allow":
        match.setdefault("operations", [TRANSFER])  # what an allow rule leaves open is what exists when it is resolved
    document: dict[str, Json] = {"id": rule.id, "effect": rule.effect, "match": match}
    bounds = rule.per_transaction
    if bounds is not None:
        minimum = bounds.min
        document["perTransaction"] = {
            asset.asset_id: {"max": str(units_at_most(bounds.max, asset.decimals))}
            | ({} if minimum is None else {"min": str(units_at_least(minimum, asset.decimals))})
            for asset in met_assets(rule.match, registry)
        }
    if rule.effect == "requireApproval":
        document["approval"] = _approval(rule.approval or Approval())
    return document


def _approval(approval: Approval) -> Json:
    document: dict[str, Json] = {
        "quorum": str(approval.quorum),
        "excludeRequester": approval.exclude_requester,
        "ttl": str(duration_ms(approval.ttl)),
        "channel": approval.channel,
    }
    if approval.approvers is not None:
        document["approvers"] = sorted_once(approval.approvers)
    return document


def _limit(limit: LimitPart, registry: Registry, book: AddressBook, timezone: str) -> Json:
    document: dict[str, Json] = {
        "id": limit.id,
        "match": resolved_match(limit.match, registry=registry, book=book, timezone=timezone),
        "window": _window(limit.window),
        "groupBy": [group for group in GROUPS if group in limit.group_by],
    }
    if limit.max_amount is not None:
        assets = met_assets(limit.match, registry)
        document["maxAmount"] = {a.asset_id: str(units_at_most(limit.max_amount, a.decimals)) for a in assets}
    for field, count in (("maxCount", limit.max_count), ("maxDistinctRecipients", limit.max_distinct_recipients)):
        if count is not None:
            document[field] = str(count)
    return document


def _window(window: Window) -> Json:
    if window.rolling is not None:
        return {"rolling": str(duration_ms(window.rolling))}
    if window.calendar is not None and window.timezone is not None:
        return {"calendar": window.calendar, "timezone": window.timezone}
    return {"lifetime": True}


def _short_document(body: ShortPolicy, policy_id: str, *, registry: Registry, book: AddressBook) -> dict[str, Json]:
    """Return the full form of the short one: limits per agent, amounts for each allowed asset separately."""
    groups = {name: sorted_once(a.asset_id for a in registry.assets_of(name)) for name in body.allowed_assets}
    allowed = sorted_once(str(asset) for ids in groups.values() for asset in ids)
    limits: list[Json] = []
    for field, units, span_ms in (
        ("hourlyLimit", body.hourly_limit, HOUR_MS),
        ("dailyLimit", body.daily_limit, DAY_MS),
    ):
        if units is None:
            continue
        for name, ids in groups.items():
            limits.append(
                {
                    "id": field if len(groups) == 1 else f"{field}-{name}",
                    "match": {"assets": ids},
                    "window": {"rolling": str(span_ms)},
                    "groupBy": ["agent"],
                    "maxAmount": {str(asset): units for asset in ids},
                }
            )
    if body.max_tx_per_hour is not None:
        limits.append(
            {
                "id": "maxTxPerHour",
                "match": {},
                "window": {"rolling": str(HOUR_MS)},
                "groupBy": ["agent"],
                "maxCount": str(body.max_tx_per_hour),
            }
        )
    rule: Json = {
        "id": WHITELIST,
        "effect": "allow",
        "match": {"assets": allowed, "operations": [TRANSFER], "recipients": {"list": WHITELIST}},
        "perTransaction": {str(asset): {"max": body.per_transaction_limit} for asset in allowed},
    }
    return {
        "version": "1",
        "id": policy_id,
        "timezone": "UTC",
        "disclosure": "coarse",
        "lists": {WHITELIST: sorted_once(recipient_address(entry, book) for entry in body.recipient_whitelist)},
        "rules": [rule],
        "limits": limits,
        "validity": {},
    }


def _list(entries: AddressList, book: AddressBook, read_list: Callable[[str], str]) -> Json:
    """Return the addresses as text, or, of a long file, what commits to them."""
    if not isinstance(entries, FileReference):
        return sorted_once(recipient_address(entry, book) for entry in entries)
    addresses = read_addresses(read_list(entries.file), name=entries.file, book=book)
    return ListCommitment(addresses) if len(addresses) > INLINE_MAX else [*addresses]
