"""The audit trail's events: one closed list of types, one function per shape, one envelope.

Every value is text, a boolean, null or a small integer, every key ASCII, so that the stored bytes are RFC 8785. A type
or a field that is released keeps its meaning; new ones come by ADR.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.approval import Approval
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Decision, Outcome, WindowUse
from mcp_wallet.core.identifiers import AssetId
from mcp_wallet.core.intent import PaymentDraft, PaymentIntent
from mcp_wallet.core.windows import Limit

SCHEMA: Final = "1"
LEAF_BYTES_MAX: Final = 32_768


class EventType(StrEnum):
    """What can stand on the trail (SPEC section 8), as far as this version writes it."""

    POLICY_DECISION = "policy_decision"
    RESERVATION_RELEASED = "reservation_released"
    GATE2_PASSED = "gate2_passed"
    GATE2_REJECTED = "gate2_rejected"
    TRANSACTION_SIGNED = "transaction_signed"
    TRANSACTION_BROADCAST = "transaction_broadcast"
    TRANSACTION_UNKNOWN = "transaction_unknown"
    TRANSACTION_REPLACED = "transaction_replaced"
    TRANSACTION_REORGED = "transaction_reorged"
    TRANSACTION_CONFIRMED = "transaction_confirmed"
    TRANSACTION_FAILED = "transaction_failed"
    PAYMENT_RESOLVED = "payment_resolved"
    OUTFLOW_UNKNOWN = "outflow_unknown"
    SETTLEMENT_MISMATCH = "settlement_mismatch"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_GRANTED = "approval_granted"
    APPROVAL_REJECTED = "approval_rejected"
    POLICY_PROPOSED = "policy_proposed"
    POLICY_APPROVED = "policy_approved"
    POLICY_REJECTED = "policy_rejected"
    POLICY_ACTIVATED = "policy_activated"
    POLICY_ROLLED_BACK = "policy_rolled_back"
    CONFIG_PROPOSED = "config_proposed"
    CONFIG_APPROVED = "config_approved"
    CONFIG_REJECTED = "config_rejected"
    CONFIG_APPLIED = "config_applied"
    CHANGE_PROPOSED = "change_proposed"
    CHANGE_APPROVED = "change_approved"
    CHANGE_REJECTED = "change_rejected"
    PAYEE_ADDED = "payee_added"
    PAYEE_REMOVED = "payee_removed"
    AGENT_CREATED = "agent_created"
    AGENT_BOUND = "agent_bound"
    AGENT_DISABLED = "agent_disabled"
    CREDENTIAL_ISSUED = "credential_issued"
    CREDENTIAL_ROTATED = "credential_rotated"
    CREDENTIAL_REVOKED = "credential_revoked"
    OPERATOR_CREATED = "operator_created"
    OPERATOR_ROLE_CHANGED = "operator_role_changed"
    OPERATOR_DISABLED = "operator_disabled"
    ACCESS_REVIEW_COMPLETED = "access_review_completed"
    OPERATOR_LOGIN_FAILED = "operator_login_failed"
    KILL_SWITCH_ENGAGED = "kill_switch_engaged"
    KILL_SWITCH_RELEASED = "kill_switch_released"
    ANOMALY_DETECTED = "anomaly_detected"
    REQUESTS_SUPPRESSED = "requests_suppressed"
    SHADOW_DECISION = "shadow_decision"
    SIMULATION = "simulation"
    AUDIT_ACCESSED = "audit_accessed"
    ANCHOR_PUBLISHED = "anchor_published"
    ROLLBACK_DETECTED = "rollback_detected"
    SERVICE_STARTED = "service_started"
    SERVICE_STOPPED = "service_stopped"
    SCHEMA_MIGRATED = "schema_migrated"


def rfc3339(at_ms: int) -> str:
    """Return `2026-11-23T09:00:00.123Z` for Unix milliseconds."""
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_rfc3339_ms(text: str) -> int:
    """Return Unix milliseconds of a timestamp that `rfc3339` wrote."""
    return _seconds(text[:19]) * 1000 + int(text[20:23])


@lru_cache(maxsize=256)
def _seconds(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp())


def envelope(
    event_type: str, *, event_id: str, at_ms: int, org_id: str, environment: str, agent_id: str = ""
) -> dict[str, Json]:
    """Return the fields that every event begins with; the ledger adds `sequence` when it appends."""
    return {
        "eventId": event_id,
        "timestamp": rfc3339(at_ms),
        "eventType": event_type,
        "schema": SCHEMA,
        "orgId": org_id,
        "environment": environment,
        "agentId": agent_id,
    }


def decision_payload(
    *,
    decision: Decision,
    policy: CompiledPolicy,
    draft: PaymentDraft,
    intent: PaymentIntent,
    fingerprint: str,
    payment_id: str,
    recipient_hash: str,
    settings_version: str,
    plaintext: bool,
    approval: Approval | None,
) -> dict[str, Json]:
    """Return what `policy_decision` holds beside its envelope: enough to decide again and compare byte for byte."""
    asset = draft.asset.asset_id
    bucket = policy.bucket(draft.agent_id, draft.chain.chain_id, asset)
    limits = {limit.limit_id: limit for limit in bucket.limits}
    day_limit, spent_today, remaining_daily = _tightest_day(decision.counters.uses, limits, asset)
    counters = _counters(decision, limits, asset)
    counters["spentToday"] = spent_today
    counters["remainingDaily"] = remaining_daily
    described = intent.document()
    described |= {
        "chainName": draft.chain.name,
        "symbol": draft.asset.symbol,
        "recipientHash": recipient_hash,
        "amountHuman": format_amount(draft.amount_units, draft.asset.decimals),
        "payee": draft.payee,
        "memo": draft.memo,
        "idempotencyKey": draft.idempotency_key,
        "fingerprint": fingerprint,
    }
    payload: dict[str, Json] = {
        "paymentId": payment_id,
        "decision": str(decision.outcome),
        "reasons": [r.document() for r in decision.reasons],
        "intent": described,
        "policy": {
            "id": decision.policy_id,
            "version": decision.policy_version,
            "hash": decision.policy_hash,
            "limits": {"perTransaction": _text(policy.per_transaction_max(draft.agent_id, asset)), "daily": day_limit},
        },
        "settings": {"version": settings_version, "hash": decision.settings_hash},
        "counters": counters,
        "facts": decision.facts.document(),
        "remaining": {k: str(v) for k, v in decision.remaining.items()},
        "plaintext": plaintext,
    }
    if approval is not None:  # gas and fees are those of the facts
        payload["approval"] = {"expiresAtMs": str(approval.expires_at_ms), "feeCapWei": str(approval.fee_cap_wei)}
    elif decision.outcome is Outcome.REQUIRE_APPROVAL:
        payload["approval"] = {"expiresAtMs": str(decision.now_ms + policy.approval_ttl_ms)}
    return payload


def _counters(decision: Decision, limits: Mapping[str, Limit], asset: AssetId) -> dict[str, Json]:
    """Return what the decision knew of the past; zero, nothing and empty are left out."""
    counters = decision.counters
    fields = {
        "lastPaymentMs": counters.last_payment_ms,
        "lastEventMs": counters.last_event_ms,
        "wallMs": counters.wall_ms,
        "knownSinceMs": counters.known_since_ms,
        "imitates": counters.imitates,
        "ledgerNonce": counters.ledger_nonce,
        "pending": counters.pending,
        "feesTodayWei": counters.fees_today_wei,
        "duplicate": counters.duplicate,
        "halted": counters.halted,
    }
    document: dict[str, Json] = {name: str(value) for name, value in fields.items() if value}
    document["windows"] = [_window(use, limits[use.limit_id], asset) for use in counters.uses]
    if counters.anomalies:
        document["anomalies"] = [anomaly.document() for anomaly in counters.anomalies]
    if counters.frozen_by:
        document["frozenBy"] = list(counters.frozen_by)
    if counters.votes:
        document["votes"] = [{"by": v.by, "approves": v.approves, "at": rfc3339(v.at_ms)} for v in counters.votes]
        document["requestedBy"] = counters.requested_by
    return document


def _window(use: WindowUse, limit: Limit, asset: AssetId) -> dict[str, Json]:
    document: dict[str, Json] = {
        "id": use.limit_id,
        "group": use.group,
        "window": limit.window.name,
        "spent": str(use.spent_units),
        "held": str(use.held_units),
        "count": str(use.count),
    }
    if limit.max_units_by_asset is not None and asset in limit.max_units_by_asset:
        maximum = limit.max_units_by_asset[asset]
        document["limit"] = str(maximum)
        document["remaining"] = str(max(0, maximum - use.spent_units - use.held_units))
    if limit.max_count is not None:
        document["maxCount"] = str(limit.max_count)
    if limit.max_distinct_recipients is not None:
        document |= {"distinct": str(use.distinct), "maxDistinctRecipients": str(limit.max_distinct_recipients)}
    return document


def _tightest_day(uses: tuple[WindowUse, ...], limits: Mapping[str, Limit], asset: AssetId) -> tuple[str, str, str]:
    """Return limit, spent and remaining of the tightest matching 24 h limit of the asset; empty texts without one."""
    best: tuple[int, int, int] | None = None
    for use in uses:
        limit = limits[use.limit_id]
        if not limit.window.is_daily or limit.max_units_by_asset is None:
            continue
        maximum = limit.max_units_by_asset.get(asset)
        if maximum is not None:
            used = use.spent_units + use.held_units
            candidate = (max(0, maximum - used), maximum, used)
            best = candidate if best is None else min(best, candidate)
    return ("", "", "") if best is None else (str(best[1]), str(best[2]), str(best[0]))


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
