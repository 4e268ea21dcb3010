"""`wallet.toml`: the settings as an operator writes them, read strictly and all problems at once.

Unknown keys, unquoted amounts and names of the wrong shape never load. Defaults are filled in and numbers become text,
so that two files that mean the same give the same document, whatever their comments and order.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mcp_wallet.core.canonical import Json
from mcp_wallet.core.credentials import is_environment
from mcp_wallet.core.durations import parse_duration_ms
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.identifiers import chain_number, parse_address, parse_chain_id
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED, Asset, Chain, Registry, native_asset, token_asset
from mcp_wallet.core.settings import Settings, payee_documents, registry_document, settings_of

FILE: Final = "wallet.toml"
LOCAL: Final = "local"
COUNT_MAX: Final = 1_000_000
CONFIRMATIONS_MAX: Final = 10_000
DECIMALS_MAX: Final = 77
NODES_MAX: Final = 16

_ORGANISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_SHORT_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SYMBOL = re.compile(r"[a-z][a-z0-9.]{0,15}")
_WEI = re.compile(r"[1-9][0-9]{0,77}")
_NODE = re.compile(r"https?://[^\s\"'\\]{1,2000}")
_SHIPPED_NAMES = frozenset(c.name for c in SHIPPED.chains)


def parse_settings(source: Mapping[str, object], payees: Iterable[Payee], version: str) -> Settings:
    """Return one version of the settings.

    Args:
        source: The parsed TOML.
        payees: The operator's address book.
        version: Decimal text; one more than the version before.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED`; the message names the first problem's file and key, `details["problems"]` all.
    """
    problems: list[str] = []
    read, registry = _read(_Table(source, "", problems))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        details = {"problems": "\n".join(f"{FILE}: {p}" for p in problems), "count": str(len(problems))}
        raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, f"{FILE}: {problems[0]}{more}.", details)
    document: Json = {
        "version": version,
        "source": read,
        "registry": registry_document(registry),
        "payees": payee_documents(payees),
    }
    return settings_of(document, version=version)


def with_payees(settings: Settings, payees: Iterable[Payee]) -> Settings:
    """Return the next version of the settings, with this address book and everything else as it was."""
    version = str(int(settings.version) + 1)
    document = settings.document
    assert isinstance(document, Mapping)  # noqa: S101  every settings document is an object
    return settings_of({**document, "version": version, "payees": payee_documents(payees)}, version=version)


@dataclass(slots=True)
class _Table:
    """One TOML table that is being read: what is taken is right or noted, what is left over is unknown."""

    found: Mapping[str, object]
    path: str
    problems: list[str]
    taken: set[str] = field(default_factory=set)

    def note(self, key: str, sentence: str) -> None:
        self.problems.append(f"`{self.path}{key[:60]}` {sentence}")

    def take(self, key: str) -> object:
        self.taken.add(key)
        return self.found.get(key)

    def text(self, key: str, fits: Callable[[str], object], wanted: str, *, default: str | None = None) -> str:
        value = self.take(key)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and fits(value):
            return value
        self.note(key, f"must be {wanted}" if value is not None else f"is missing: write {wanted}")
        return ""

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.take(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.note(key, "must be true or false")
        return default

    def count(self, key: str, *, default: int | None, lowest: int, highest: int) -> str:
        value = self.take(key)
        if value is None and default is not None:
            return str(default)
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return str(value)
        self.note(key, f"must be a whole number from {lowest} to {highest}")
        return str(lowest)

    def table(self, key: str) -> "_Table":
        value = self.take(key)
        if value is not None and not isinstance(value, Mapping):
            self.note(key, "must be a table")
        return _Table(value if isinstance(value, Mapping) else {}, f"{self.path}{key[:60]}.", self.problems)

    def close(self) -> None:
        for key in self.found:
            if key not in self.taken:
                self.note(key, "is not a setting")


def _read(top: _Table) -> tuple[dict[str, Json], Registry]:
    limits = top.table("limits")
    source: dict[str, Json] = {
        "orgId": top.text("orgId", _ORGANISATION.fullmatch, "letters, digits, `_` and `-`"),
        "logId": top.text("logId", _ORGANISATION.fullmatch, "letters, digits, `_` and `-`"),
        "environment": top.text(
            "environment", is_environment, "lower-case letters, digits and `-`, such as production"
        ),
        "solo": top.flag("solo", default=False),
        "plaintext": top.flag("plaintext", default=False),
        "deduplicationWindow": top.text("deduplicationWindow", _is_duration, "a duration such as `10m`", default="10m"),
        "limits": {
            "callsPerMinute": limits.count("callsPerMinute", default=60, lowest=1, highest=COUNT_MAX),
            "pendingMax": limits.count("pendingMax", default=5, lowest=0, highest=COUNT_MAX),
            "denialsPerHour": limits.count("denialsPerHour", default=100, lowest=1, highest=COUNT_MAX),
        },
    }
    limits.close()
    chains, registry = _chains(top.table("chains"))
    assets, registry = _assets(top, registry)
    top.close()
    return source | {"chains": chains, "assets": assets}, registry


def _chains(tables: _Table) -> tuple[Json, Registry]:
    registry, read = SHIPPED, dict[str, Json]()
    for name in tables.found:
        table = tables.table(name)
        if _SHORT_NAME.fullmatch(name) is None:
            tables.note(name, "is not a chain's short name: lower-case letters, digits and `-`")
            continue
        fields, registry = _own_chain(table, name, registry) if name not in _SHIPPED_NAMES else ({}, registry)
        shipped = next((c for c in registry.chains if c.name == name), None)
        fields["confirmations"] = table.count(
            "confirmations", default=shipped.confirmations if shipped else None, lowest=0, highest=CONFIRMATIONS_MAX
        )
        registry = _confirming(registry, name, int(str(fields["confirmations"])))
        fields |= {
            "nodes": _nodes(table),
            "maxFeeWei": table.text("maxFeeWei", _WEI.fullmatch, 'wei as quoted digits, such as "2000000000000000"'),
            "maxFeePerDayWei": table.text("maxFeePerDayWei", _WEI.fullmatch, "wei as quoted digits"),
            "trustSingleNode": table.flag("trustSingleNode", default=name == LOCAL),
        }
        table.close()
        read[name] = fields
    tables.close()
    return read, registry


def _own_chain(table: _Table, name: str, registry: Registry) -> tuple[dict[str, Json], Registry]:
    """Read a chain that does not ship: its CAIP-2 id and its native coin are the operator's to say."""
    fields: dict[str, Json] = {
        "chainId": table.text(
            "chainId", _is_chain_id, "a CAIP-2 id such as `eip155:100`, since this chain is not shipped"
        ),
        "nativeSymbol": table.text("nativeSymbol", _SYMBOL.fullmatch, "lower-case letters, such as `eth`"),
        "slip44": table.count("slip44", default=60, lowest=0, highest=2**31 - 1),
        "explorer": table.text("explorer", _NODE.fullmatch, "an address that begins with https://", default=""),
    }
    if not fields["chainId"]:
        return fields, registry
    chain_id = parse_chain_id(str(fields["chainId"]))
    if any(c.chain_id == chain_id for c in registry.chains):
        table.note("chainId", f"is a chain that has a name already: number {chain_number(chain_id)}")
        return fields, registry
    chain = Chain(
        chain_id=chain_id,
        name=name,
        native_symbol=str(fields["nativeSymbol"]),
        confirmations=0,
        explorer=str(fields["explorer"]),
    )
    native = native_asset(chain, int(str(fields["slip44"])))
    return fields, Registry(chains=(*registry.chains, chain), assets=(*registry.assets, native))


def _confirming(registry: Registry, name: str, confirmations: int) -> Registry:
    chains = tuple(replace(c, confirmations=confirmations) if c.name == name else c for c in registry.chains)
    return Registry(chains=chains, assets=registry.assets)


def _nodes(table: _Table) -> Json:
    value = table.take("nodes")
    if isinstance(value, list) and 1 <= len(value) <= NODES_MAX and len(set(map(str, value))) == len(value):
        nodes: list[Json] = [v for v in value if isinstance(v, str) and _NODE.fullmatch(v)]
        if len(nodes) == len(value):
            return nodes
    table.note("nodes", f"must be a list of 1 to {NODES_MAX} different addresses that begin with http:// or https://")
    return []


def _assets(top: _Table, registry: Registry) -> tuple[Json, Registry]:
    found = top.take("assets")
    read: list[Json] = []
    if found is None:
        return read, registry
    if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
        top.note("assets", "must be a list of tables: write [[assets]]")
        return read, registry
    for index, row in enumerate(found):
        table = _Table(row, f"assets[{index}].", top.problems)
        fields: dict[str, Json] = {
            "symbol": table.text("symbol", _SYMBOL.fullmatch, "lower-case letters and digits, such as `eurc`"),
            "chain": table.text("chain", _SHORT_NAME.fullmatch, "a chain's short name"),
            "address": table.text("address", _is_address, "the token's address with its EIP-55 checksum"),
            "decimals": table.count("decimals", default=None, lowest=0, highest=DECIMALS_MAX),
        }
        table.close()
        asset = _own_asset(table, fields, registry)
        if asset is not None:
            registry = Registry(chains=registry.chains, assets=(*registry.assets, asset))
        read.append(fields | {"address": str(fields["address"]).lower()})
    return read, registry


def _own_asset(table: _Table, fields: Mapping[str, Json], registry: Registry) -> Asset | None:
    chain = next((c for c in registry.chains if c.name == fields["chain"]), None)
    if chain is None:
        if fields["chain"]:
            table.note("chain", "is not a chain that ships or stands under [chains]")
        return None
    if not (fields["symbol"] and fields["address"]):
        return None
    asset = token_asset(chain.chain_id, str(fields["symbol"]), str(fields["address"]), int(str(fields["decimals"])))
    if any(a.asset_id == asset.asset_id or (a.chain, a.symbol) == (asset.chain, asset.symbol) for a in registry.assets):
        table.note("symbol", f"or its address is known on {chain.name} already")
        return None
    return asset


def _is_duration(text: str) -> bool:
    try:
        return parse_duration_ms(text) > 0
    except OwnerError:
        return False


def _is_chain_id(text: str) -> bool:
    try:
        return bool(parse_chain_id(text))
    except CallerError:
        return False


def _is_address(text: str) -> bool:
    try:
        return bool(parse_address(text))
    except CallerError:
        return False
