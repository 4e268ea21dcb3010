"""Reading a decision back from its event: the intent and the draft that were decided about."""

from collections.abc import Mapping

from mcp_wallet.core.canonical import Json
from mcp_wallet.core.decision import Anomaly
from mcp_wallet.core.document import as_items, as_mapping, as_text
from mcp_wallet.core.identifiers import Address, AssetId
from mcp_wallet.core.intent import PaymentDraft, PaymentIntent
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings


def intent_of(document: Mapping[str, Json]) -> PaymentIntent:
    """Return the intent of a decision's `intent` object."""
    field_of = {"sender": "from"} | {name: _camel(name) for name in PaymentIntent._fields if name != "sender"}
    return PaymentIntent(**{name: as_text(document[key]) for name, key in field_of.items()})


def draft_of(document: Mapping[str, Json], settings: Settings) -> PaymentDraft:
    """Return the draft of a decision's `intent` object, its names read by these settings.

    Raises:
        CallerError: `CHAIN_UNKNOWN | ASSET_UNKNOWN` when they do not have its chain or asset.
    """
    intent, registry = intent_of(document), settings.registry
    chain = registry.chain(intent.chain)
    return PaymentDraft(
        org_id=intent.org_id,
        agent_id=intent.agent_id,
        operation=intent.operation,
        chain=chain,
        asset=registry.asset_by_id(AssetId(intent.asset)),
        sender=Address(intent.sender),
        to=Address(intent.to),
        payee=as_text(document["payee"]),
        amount_units=intent.amount_units,
        reference=intent.reference,
        memo=as_text(document["memo"]),
        category=intent.category,
        memo_hash=intent.memo_hash,
        blind=intent.blind,
        idempotency_key=as_text(document["idempotencyKey"]),
        settings_hash=settings.hash,
    )


def anomalies_of(event: Mapping[str, Json]) -> tuple[Anomaly, ...]:
    """Return what a decision's event says was unusual."""
    found = as_items(as_mapping(event["counters"]).get("anomalies", []))
    return tuple(_anomaly(as_mapping(entry)) for entry in found)


def _anomaly(entry: Mapping[str, Json]) -> Anomaly:
    return Anomaly(ReasonCode(as_text(entry["code"])), int(as_text(entry["observed"])), int(as_text(entry["limit"])))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
