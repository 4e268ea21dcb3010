"""The `*.test.yaml` file as written: strict models, except for the payment, which is written as it would arrive."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from mcp_wallet.control.policy_files import read_text
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import is_payee_name, parse_address
from mcp_wallet.core.payees import AddressBook, Payee
from mcp_wallet.core.policy_language import Time, time_ms
from mcp_wallet.core.policy_problems import shape_problems
from mcp_wallet.core.policy_source import FieldPath, Problem, Source, invalid, parse_source, shown
from mcp_wallet.core.registry import Registry, token_asset

DECIMALS_MAX: Final = 36


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", alias_generator=to_camel)


class PayeeEntry(_Part):
    """A payee with more than an address."""

    address: str
    added_at: Time | None = None
    category: str = ""


class AssetEntry(_Part):
    """A token beside the registry's."""

    symbol: str = Field(pattern="^[a-z][a-z0-9.]{0,15}$")
    chain: str
    address: str
    decimals: int = Field(ge=0, le=DECIMALS_MAX)


class HistoryEntry(_Part):
    """A payment of the past, whether or not this policy would allow it."""

    at: Time
    agent: str
    chain: str = ""
    asset: str = "usdc"
    to: str
    amount: str
    status: Literal["confirmed", "held", "failed", "expired", "released"] = "confirmed"
    operation: str = "transfer"
    category: str = ""


class Freeze(_Part):
    """One freeze: exactly one of the fields."""

    agent: str | None = None
    asset: str | None = None
    chain: str | None = None
    recipient: str | None = None
    all: Literal[True] | None = None


class Clock(_Part):
    """The ledger's newest time."""

    last: Time


class Vote(_Part):
    """What one person said."""

    by: str
    vote: Literal["approve", "reject"]
    at: Time


class Expectation(_Part):
    """What must come out; each reason among those reported, each `remaining` after the payment."""

    decision: Literal["ALLOW", "DENY", "REQUIRE_APPROVAL"]
    reasons: list[str] = Field(default_factory=list)
    remaining: dict[str, str] = Field(default_factory=dict)


class Case(_Part):
    """One case. The payment's values are not checked: malformed ones are what a case may be about."""

    name: str
    now: Time
    history: list[HistoryEntry] = Field(default_factory=list)
    frozen: list[Freeze] = Field(default_factory=list)
    clock: Clock | None = None
    approvals: list[Vote] = Field(default_factory=list)
    requested_by: str = ""
    payment: dict[str, object]
    expect: Expectation


class Sheet(_Part):
    """The whole file."""

    policy: str
    payees: dict[str, str | PayeeEntry] = Field(default_factory=dict)
    assets: list[AssetEntry] = Field(default_factory=list)
    cases: list[Case]


_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "payees": PayeeEntry,
    "assets": AssetEntry,
    "cases": Case,
    "history": HistoryEntry,
    "frozen": Freeze,
    "clock": Clock,
    "approvals": Vote,
    "expect": Expectation,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFile:
    """A test file with its own address book and registry."""

    __test__ = False

    path: Path
    policy_path: Path
    cases: tuple[Case, ...]
    registry: Registry
    book: AddressBook


def load_test_file(path: Path, *, registry: Registry) -> TestFile:
    """Return a `*.test.yaml`; its `policy` is looked for beside it.

    Raises:
        OwnerError: `POLICY_INVALID` with all problems of the file.
    """
    source = parse_source(read_text(path), name=path.name)
    try:
        sheet = Sheet.model_validate(source.data)
    except ValidationError as error:
        problems = [*source.problems, *shape_problems(source, error, top=Sheet, models=_MODELS)]
        raise invalid(path.name, problems) from None
    problems = [*source.problems]
    extended = _registry(sheet, registry, source, problems)
    book = _book(sheet, source, problems)
    if problems:
        raise invalid(path.name, problems)
    return TestFile(
        path=path,
        policy_path=path.parent / sheet.policy,
        cases=tuple(sheet.cases),
        registry=extended,
        book=book,
    )


def _registry(sheet: Sheet, registry: Registry, source: Source, problems: list[Problem]) -> Registry:
    assets = list(registry.assets)
    for index, entry in enumerate(sheet.assets):
        path: FieldPath = ("assets", index)
        try:
            chain = registry.chain(entry.chain).chain_id
            assets.append(token_asset(chain, entry.symbol, parse_address(entry.address), entry.decimals))
        except CallerError as error:
            problems.append(source.problem(path, error.message.rstrip(".")))
    return Registry(chains=registry.chains, assets=tuple(assets))


def _book(sheet: Sheet, source: Source, problems: list[Problem]) -> AddressBook:
    payees = []
    for name, value in sheet.payees.items():
        entry = PayeeEntry(address=value) if isinstance(value, str) else value
        path: FieldPath = ("payees", name)
        if not is_payee_name(name):
            problems.append(source.problem(path, f"{shown(name)} is not a payee name", at_key=True))
        try:
            address = parse_address(entry.address)
        except CallerError as error:
            problems.append(source.problem(path, error.message.rstrip(".")))
            continue
        added_at_ms = 0 if entry.added_at is None else time_ms(entry.added_at)
        payees.append(Payee(name=name, address=address, category=entry.category, added_at_ms=added_at_ms))
    return AddressBook(payees=tuple(payees))
