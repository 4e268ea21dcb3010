"""From the text of a policy file to a policy that loaded, or to every problem that it has, each with its line.

The way in: text -> data with places -> strict models -> names and nesting. Nothing is repaired on the way.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final, TypeVar

from pydantic import ValidationError

from mcp_wallet.core import policy_language as language
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy_checks import (
    MIXED_ASSETS,
    Finding,
    Parts,
    asset_findings,
    full_findings,
    recipient_findings,
)
from mcp_wallet.core.policy_language import FullPolicy, LimitPart, Policy, Rule, ShortPolicy, Validity, policy_schema
from mcp_wallet.core.policy_problems import shape_problems
from mcp_wallet.core.policy_source import Data, FieldPath, Problem, invalid, parse_source
from mcp_wallet.core.registry import Registry

__all__ = ["Policy", "load_policy", "policy_schema"]

_SHORT_FIELDS: Final = frozenset(f.alias for f in ShortPolicy.model_fields.values() if f.alias)
_MODEL_AT: Final[Mapping[str, type[language.Part]]] = {
    "lists": language.FileReference,
    "rules": Rule,
    "limits": LimitPart,
    "match": language.Match,
    "amount": language.AmountMatch,
    "recipients": language.ListReference,
    "perTransaction": language.PerTransaction,
    "approval": language.Approval,
    "window": language.Window,
    "hours": language.Hours,
    "anomaly": language.AnomalyPart,
    "validity": Validity,
}
_EMPTY: Final = "this is empty: write a value or leave the field out"

M = TypeVar("M", bound=language.Part)


def load_policy(text: str, *, name: str, registry: Registry, book: AddressBook) -> Policy:
    """Return the policy of a YAML file, or of a JSON file when its name ends so.

    Args:
        text: Content of the file.
        name: Bare name of the file, for problems; the short form is called after it.
        registry: Chains and assets that names may mean.
        book: Payees that names may mean.

    Raises:
        OwnerError: `POLICY_INVALID`; `details["problems"]` has every problem on its own line, as
            `file:line:column: sentence`.
    """
    source = parse_source(text, name=name)
    data = source.data
    if not isinstance(data, dict):
        raise invalid(name, [*source.problems, Problem(line=1, column=1, sentence="a policy is an object")])
    is_short = "rules" not in data and "version" not in data and not _SHORT_FIELDS.isdisjoint(data)
    model: type[FullPolicy | ShortPolicy] = ShortPolicy if is_short else FullPolicy
    problems = [*source.problems, *(source.problem(path, _EMPTY, at_key=True) for path in _nulls(data, ()))]
    body: FullPolicy | ShortPolicy | None = None
    try:
        body = model.model_validate(data)
    except ValidationError as error:
        problems += shape_problems(source, error, top=model, models=_MODEL_AT)
    if is_short:
        findings = _short_findings(body, registry, book)
    else:
        findings = full_findings(_parts_of(data), registry=registry, book=book)
    problems += [source.problem(path, sentence) for path, sentence in findings]
    if problems or body is None:
        raise invalid(name, problems)
    return Policy(policy_id=_policy_id(body, name), body=body, source=source)


def _nulls(value: Data, path: FieldPath) -> Iterator[FieldPath]:
    """Yield the places of nulls: an emptied restriction must not read as no restriction."""
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _nulls(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if not isinstance(item, str):
                yield from _nulls(item, (*path, index))


def _parts_of(data: Mapping[str, Data]) -> Parts:
    rules, limits = _listed(data.get("rules")), _listed(data.get("limits"))
    lists = data.get("lists")
    lists = lists if isinstance(lists, dict) else {}
    timezone = data.get("timezone", "UTC")
    ids: list[tuple[FieldPath, str]] = []
    for field, items in (("rules", rules), ("limits", limits)):
        for index, item in enumerate(items):
            found = item.get("id") if isinstance(item, dict) else None
            if isinstance(found, str):
                ids.append(((field, index), found))
    return Parts(
        rules=_readable(rules, Rule),
        limits=_readable(limits, LimitPart),
        lists={
            name: [e for e in entries if isinstance(e, str)]
            for name, entries in lists.items()
            if isinstance(entries, list)
        },
        ids=tuple(ids),
        list_names=frozenset(lists),
        validity=_readable([data.get("validity", {})], Validity).get(0, Validity()),
        timezone=timezone if isinstance(timezone, str) else "UTC",
    )


def _listed(value: Data) -> Sequence[Data]:
    return value if isinstance(value, list) else []


def _readable(items: Sequence[Data], model: type[M]) -> dict[int, M]:
    """Return those items that are well-shaped, under their index."""
    found = {}
    for index, item in enumerate(items):
        try:
            found[index] = model.model_validate(item)
        except ValidationError:
            continue
    return found


def _short_findings(body: FullPolicy | ShortPolicy | None, registry: Registry, book: AddressBook) -> Iterator[Finding]:
    if not isinstance(body, ShortPolicy):
        return
    yield from recipient_findings(body.recipient_whitelist, book, ("recipientWhitelist",))
    yield from asset_findings(body.allowed_assets, registry, ("allowedAssets",))
    for index, name in enumerate(body.allowed_assets):
        if len({a.decimals for a in registry.assets_of(name)}) > 1:
            yield ("allowedAssets", index), MIXED_ASSETS
    nested = [
        ("perTransactionLimit", body.per_transaction_limit),
        ("hourlyLimit", body.hourly_limit),
        ("dailyLimit", body.daily_limit),
    ]
    given = [(field, Fraction(units)) for field, units in nested if units is not None]
    for (field, units), (longer, most) in pairwise(given):
        if units > most:
            yield (field,), f"limits must nest: `{field}` is above `{longer}`"


def _policy_id(body: FullPolicy | ShortPolicy, name: str) -> str:
    if isinstance(body, FullPolicy):
        return body.id
    stem = name.rpartition("/")[2].partition(".")[0]
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in stem).strip("-_") or "policy"
