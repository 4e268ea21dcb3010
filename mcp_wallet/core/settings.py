"""The settings that bear on money: versioned, hashed, named in every decision.

`wallet.toml` is their source text; the operator's address book is their other part. Nothing here comes from the
environment.
"""

from dataclasses import dataclass, field

from mcp_wallet.core.canonical import SETTINGS_DOMAIN, Json, domain_hash
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.registry import SHIPPED, Registry


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
        document: What is hashed and kept on the trail: `{"version", "source": {…}, "payees": [{…}]}`, all values text.
        deduplication_ms: How long a payment without a reference is compared with those of equal content.
        calls_per_minute: Tool calls of one agent; more are `RATE_LIMITED`.
        pending_max: Payments of one agent that may wait for approval.
        denials_per_hour: Denials after which an agent is frozen.
    """

    document: Json
    version: str
    org_id: str
    environment: str
    solo: bool = True
    plaintext: bool = False
    registry: Registry = SHIPPED
    book: AddressBook = field(default_factory=AddressBook)
    chains: dict[ChainId, ChainSettings] = field(default_factory=dict)
    deduplication_ms: int = 600_000
    calls_per_minute: int = 60
    pending_max: int = 5
    denials_per_hour: int = 100

    @property
    def hash(self) -> str:
        """Return `settingsHash`."""
        return domain_hash(SETTINGS_DOMAIN, self.document)
