"""What a policy's words mean: short names as CAIP ids, payee names as addresses, human amounts as base units.

Bounds are exact: an amount that an asset cannot express is rounded so that the bound never admits more than was
written. A name that nobody has is a `CallerError`, which the checks turn into a problem with its line.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final

from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address, is_payee_name, parse_address
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy_language import AmountMatch, Hours, ListReference, Match
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Asset, Registry
from mcp_wallet.core.wall_clock import WEEKDAYS

UNITS_MAX: Final = (1 << 256) - 1


def units_at_most(text: str, decimals: int) -> int:
    """Return the most base units that are not more than the human amount."""
    scaled = _scaled(text, decimals)
    return scaled.numerator // scaled.denominator


def units_at_least(text: str, decimals: int) -> int:
    """Return the fewest base units that are not less than the human amount."""
    scaled = _scaled(text, decimals)
    return -(-scaled.numerator // scaled.denominator)


def is_exact(text: str, decimals: int) -> bool:
    """Return whether the asset can express the human amount."""
    return _scaled(text, decimals).denominator == 1


def amount_bounds(amount: AmountMatch, decimals: int) -> tuple[int, int]:
    """Return the fewest and the most base units that match; nothing matches when the first is the greater."""
    low = [1]
    high = [UNITS_MAX]
    if amount.gt is not None:
        low.append(units_at_most(amount.gt, decimals) + 1)
    if amount.gte is not None:
        low.append(units_at_least(amount.gte, decimals))
    if amount.lt is not None:
        high.append(units_at_least(amount.lt, decimals) - 1)
    if amount.lte is not None:
        high.append(units_at_most(amount.lte, decimals))
    return max(low), max(0, min(high))


def recipient_address(entry: str, book: AddressBook) -> Address:
    """Return the address of an address or payee name; `CallerError` when it is neither."""
    if is_payee_name(entry):
        payee = book.by_name.get(entry)
        if payee is None:
            raise CallerError(ReasonCode.RECIPIENT_UNKNOWN, f"no payee is called `{entry}` in the address book")
        return payee.address
    return parse_address(entry)


def met_assets(match: Match, registry: Registry) -> tuple[Asset, ...]:
    """Return the assets that can meet the match, in registry order: those named, or all, on the chains named."""
    chains = None if match.chains is None else {registry.chain(name).chain_id for name in match.chains}
    named = None if match.assets is None else {a.asset_id for name in match.assets for a in registry.assets_of(name)}
    return tuple(
        a for a in registry.assets if (chains is None or a.chain in chains) and (named is None or a.asset_id in named)
    )


def resolved_match(match: Match, *, registry: Registry, book: AddressBook, timezone: str) -> dict[str, Json]:
    """Return the match in ids, addresses and base units; parts that match everything are left out.

    `assets` keeps every chain's id of a symbol beside `chains`, so that a refusal can tell which of the two it was.

    Args:
        timezone: The policy's, for hours that name none.

    Raises:
        CallerError: For a name that nobody has.
    """
    found: dict[str, Json] = {}
    for part, names in (
        ("agents", match.agents),
        ("operations", match.operations),
        ("categories", match.categories),
    ):
        if names is not None:
            found[part] = sorted_once(names)
    if match.chains is not None:
        found["chains"] = sorted_once(registry.chain(name).chain_id for name in match.chains)
    if match.assets is not None:
        found["assets"] = sorted_once(a.asset_id for name in match.assets for a in registry.assets_of(name))
    if match.recipients is not None and match.recipients != "any":
        found["recipients"] = _recipients_document(match.recipients, book)
    if match.amount is not None:
        found["amount"] = {
            asset.asset_id: _bounds_document(match.amount, asset.decimals) for asset in met_assets(match, registry)
        }
    if match.hours is not None:
        found["hours"] = _hours_document(match.hours, timezone)
    return found


def sorted_once(names: Iterable[str]) -> list[Json]:
    """Return the names in order, each once, as a document holds them."""
    return [*sorted(set(names))]


def _recipients_document(recipients: ListReference | Sequence[str], book: AddressBook) -> Json:
    if isinstance(recipients, ListReference):
        return {"list": recipients.list}
    return sorted_once(recipient_address(entry, book) for entry in recipients)


def _hours_document(hours: Hours, timezone: str) -> Json:
    days = WEEKDAYS if hours.days is None else [day for day in WEEKDAYS if day in hours.days]
    return {"days": [*days], "start": hours.start, "end": hours.end, "timezone": hours.timezone or timezone}


def _scaled(text: str, decimals: int) -> Fraction:
    return Fraction(text) * int("1" + "0" * decimals)


def _bounds_document(amount: AmountMatch, decimals: int) -> Json:
    low, high = amount_bounds(amount, decimals)
    return {"min": str(low), "max": str(high)}
