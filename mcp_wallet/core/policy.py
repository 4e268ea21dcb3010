"""From the text of a policy file to a policy that loaded, or to every problem that it has, each with its line.

The way in: text -> data with places -> strict models -> names and nesting. Nothing is repaired on the way.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

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
from mcp_wallet.core.policy_source import Data, FieldPath, Problem, Source, invalid, parse_source, shown
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
    "validity": Validity,
}
_UNBUILT: Final = frozenset({"hours", "anomaly", "calendar", "lifetime"})
_SENTENCES: Final = {
    "string_type": "this must be text: put it in quotes",
    "int_type": "this must be a whole number, without quotes",
    "bool_type": "this must be true or false",
    "list_type": "this must be a list",
    "dict_type": "this must be an object",
    "model_type": "this must be an object",
    "model_attributes_type": "this must be an object",
    "too_short": "an empty list allows nothing here: name at least one",
    "string_too_short": "this must not be empty",
    "string_too_long": "this is too long",
    "greater_than_equal": "this must be at least 1",
    "less_than_equal": f"this must be at most {language.COUNT_MAX}",
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
    problems = [*source.problems, *(source.problem(path, _EMPTY) for path in _nulls(data, ()))]
    body: FullPolicy | ShortPolicy | None = None
    try:
        body = model.model_validate(data)
    except ValidationError as error:
        problems += [_problem(source, found, model) for found in error.errors(include_url=False)]
    if is_short:
        findings = _short_findings(body, registry, book)
    else:
        findings = full_findings(_parts_of(data), registry=registry, book=book)
    problems += [source.problem(path, sentence) for path, sentence in findings]
    if problems or body is None:
        raise invalid(name, problems)
    return Policy(policy_id=_policy_id(body, name), body=body, warnings=tuple(_warnings(source, body)))


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


def _problem(source: Source, found: ErrorDetails, top: type[language.Part]) -> Problem:
    kind, path = found["type"], found["loc"]
    if kind == "extra_forbidden":
        return source.problem(path, _unknown_field(path, top), at_key=True)
    if kind == "missing":
        return source.problem(path[:-1], f"the field {shown(path[-1])} is missing", at_key=True)
    if kind == "literal_error":
        return source.problem(path, _literal_sentence(path, found))
    if kind == "value_error":
        return source.problem(path, found["msg"].removeprefix("Value error, "))
    return source.problem(path, _SENTENCES.get(kind, "this value is not usable here"))


def _literal_sentence(path: FieldPath, found: ErrorDetails) -> str:
    expected = str(found.get("ctx", {}).get("expected", "")).replace("'", "`")
    if path == ("version",):
        return "this wallet reads version 1 of the language: write `version: 1`"
    return f"this must be {expected}" if "`" in expected else "this value is not usable here"


def _unknown_field(path: FieldPath, top: type[language.Part]) -> str:
    """Return the sentence for an unknown field, with the nearest right name where one is near."""
    field = str(path[-1])
    if field in _UNBUILT:
        return f"{shown(field)} is not supported by this version of the wallet"
    model = next((_MODEL_AT[part] for part in reversed(path[:-1]) if part in _MODEL_AT), top)  # type: ignore[index]
    known = [f.alias or name for name, f in model.model_fields.items()]
    near = difflib.get_close_matches(field, known, n=1, cutoff=0.6)
    return f"there is no field {shown(field)}" + (f": did you mean `{near[0]}`?" if near else " here")


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


def _warnings(source: Source, body: FullPolicy | ShortPolicy) -> Iterator[str]:
    if isinstance(body, ShortPolicy):
        return
    for index, rule in enumerate(body.rules):
        if rule.effect == "allow" and rule.match.recipients == "any":
            line, column = source.locate(("rules", index, "match", "recipients"), False)  # noqa: FBT003  not the key
            yield f"{source.name}:{line}:{column}: `{rule.id}` can pay anyone: any address that the agent names"
