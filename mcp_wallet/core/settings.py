"""The settings that bear on money: versioned, hashed, named in every decision.

`wallet.toml` is their source text (`settings_source.py` reads it); the operator's address book is their other part.
Nothing here comes from the environment. The document holds the whole registry, so that it decides the same after an
upgrade that ships more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mcp_wallet.core.canonical import SETTINGS_DOMAIN, Json, domain_hash
from mcp_wallet.core.document import as_items, as_mapping, as_text, as_texts, number_at
from mcp_wallet.core.durations import parse_duration_ms
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.payees import AddressBook, Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED, Asset, Chain, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """How one chain is reached and what its fees may cost.

    Args:
        nodes: JSON-RPC addresses, asked in this order; two that agree are needed for negative evidence.
        max_fee_wei: Most that one transaction's fee may be, in wei.
        max_fee_per_day_wei: Most that all fees of 24 hours may be, in wei.
        trust_single_node: Whether one node's word frees budget.
    """

    chain_id: ChainId
    nodes: tuple[str, ...]
    max_fee_wei: int
    max_fee_per_day_wei: int
    trust_single_node: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One version of the settings.

    Args:
        document: What is hashed and kept: `{"version", "source": {…}, "registry": {…}, "payees": [{…}]}`, all
            values text or booleans.
        log_id: Name of the home's log, a part of its checkpoints' origin.
        deduplication_ms: How long a payment without a reference is compared with those of equal content.
        calls_per_minute: Tool calls of one agent; more are `RATE_LIMITED`.
        pending_max: Payments of one agent that may wait for approval.
        denials_per_hour: Denials after which an agent is frozen.
    """

    document: Json
    version: str
    org_id: str
    environment: str
    log_id: str = ""
    solo: bool = True
    plaintext: bool = False
    registry: Registry = SHIPPED
    book: AddressBook = field(default_factory=AddressBook)
    chains: dict[ChainId, ChainSettings] = field(default_factory=dict)
    deduplication_ms: int = 600_000
    calls_per_minute: int = 60
    pending_max: int = 5
    denials_per_hour: int = 100
    hash: str = field(init=False)
    """`settingsHash`, computed once: it stands in every decision."""

    def __post_init__(self) -> None:
        """Hash the document."""
        object.__setattr__(self, "hash", domain_hash(SETTINGS_DOMAIN, self.document))

    @property
    def origin(self) -> str:
        """Return the name under which the home's log signs: `mcp-wallet/<orgId>/<logId>`."""
        return f"mcp-wallet/{self.org_id}/{self.log_id}"


def settings_of(document: Json, *, version: str) -> Settings:
    """Return the settings that a stored document means.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED` when it is not a document that `settings_source` made.
    """
    try:
        return _settings_of(as_mapping(document), version=version)
    except (KeyError, TypeError, ValueError) as error:
        sentence = "The stored settings are not a settings document: apply them again from wallet.toml."
        raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence) from error


def payee_documents(payees: Iterable[Payee]) -> list[Json]:
    """Return the address book as it stands in the settings document."""
    return [
        {"name": p.name, "address": p.address, "category": p.category, "addedAtMs": str(p.added_at_ms)} for p in payees
    ]


def registry_document(registry: Registry) -> Json:
    """Return the registry as it stands in the settings document."""
    return {
        "chains": [
            {
                "chainId": c.chain_id,
                "name": c.name,
                "nativeSymbol": c.native_symbol,
                "confirmations": str(c.confirmations),
                "explorer": c.explorer,
            }
            for c in registry.chains
        ],
        "assets": [
            {
                "assetId": a.asset_id,
                "chain": a.chain,
                "symbol": a.symbol,
                "decimals": str(a.decimals),
                "token": a.token or "",
            }
            for a in registry.assets
        ],
    }


def _settings_of(document: Mapping[str, Json], *, version: str) -> Settings:
    source = as_mapping(document["source"])
    limits = as_mapping(source["limits"])
    registry = _registry_of(as_mapping(document["registry"]))
    return Settings(
        document=document,
        version=version,
        org_id=as_text(source["orgId"]),
        environment=as_text(source["environment"]),
        log_id=as_text(source["logId"]),
        solo=source["solo"] is True,
        plaintext=source["plaintext"] is True,
        registry=registry,
        book=AddressBook(payees=tuple(_payee_of(as_mapping(p)) for p in as_items(document["payees"]))),
        chains={
            chain.chain_id: _chain_settings_of(chain.chain_id, as_mapping(found))
            for name, found in as_mapping(source["chains"]).items()
            for chain in (registry.chain(name),)
        },
        deduplication_ms=parse_duration_ms(as_text(source["deduplicationWindow"])),
        calls_per_minute=int(as_text(limits["callsPerMinute"])),
        pending_max=int(as_text(limits["pendingMax"])),
        denials_per_hour=int(as_text(limits["denialsPerHour"])),
    )


def _chain_settings_of(chain_id: ChainId, found: Mapping[str, Json]) -> ChainSettings:
    return ChainSettings(
        chain_id=chain_id,
        nodes=tuple(as_texts(found["nodes"])),
        max_fee_wei=int(as_text(found["maxFeeWei"])),
        max_fee_per_day_wei=int(as_text(found["maxFeePerDayWei"])),
        trust_single_node=found["trustSingleNode"] is True,
    )


def _payee_of(found: Mapping[str, Json]) -> Payee:
    return Payee(
        name=as_text(found["name"]),
        address=Address(as_text(found["address"])),
        category=as_text(found["category"]),
        added_at_ms=number_at(found, "addedAtMs") or 0,
    )


def _registry_of(found: Mapping[str, Json]) -> Registry:
    chains = [as_mapping(c) for c in as_items(found["chains"])]
    assets = [as_mapping(a) for a in as_items(found["assets"])]
    return Registry(
        chains=tuple(
            Chain(
                chain_id=ChainId(as_text(c["chainId"])),
                name=as_text(c["name"]),
                native_symbol=as_text(c["nativeSymbol"]),
                confirmations=int(as_text(c["confirmations"])),
                explorer=as_text(c["explorer"]),
            )
            for c in chains
        ),
        assets=tuple(
            Asset(
                asset_id=AssetId(as_text(a["assetId"])),
                chain=ChainId(as_text(a["chain"])),
                symbol=as_text(a["symbol"]),
                decimals=int(as_text(a["decimals"])),
                token=Address(as_text(a["token"])) if a["token"] else None,
            )
            for a in assets
        ),
    )
