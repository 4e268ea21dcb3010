"""Access reviews: somebody looked at who may do what, and the trail says when, and what there was to see."""

from mcp_wallet.contract.events import EventType, rfc3339
from mcp_wallet.control.justification import required_reason
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.roles import format_roles
from mcp_wallet.ports import Actor, AgentKey

DAY_MS = 86_400_000
ROTATION_DAYS = 90
"""A key older than this is overdue for rotation."""


async def agent_access(ledger: ControlLedger, *, now_ms: int) -> list[dict[str, Json]]:
    """Return every agent with its binding, its owner and its keys in use, with their age in days."""
    found: list[dict[str, Json]] = []
    for row in await ledger.agents():
        keys = await ledger.agent_keys(row.agent_id)
        usable = [key for key in keys if _is_usable(key, now_ms)]
        found.append(
            {
                "agentId": row.agent_id,
                "policyId": row.policy_id,
                "category": row.category,
                "owner": row.owner,
                "disabled": row.disabled,
                "keys": [_key(key, now_ms) for key in usable],
            }
        )
    return found


async def operator_access(ledger: ControlLedger) -> list[dict[str, Json]]:
    """Return everybody with their roles."""
    return [
        {"name": p.name, "roles": format_roles(p.roles), "since": rfc3339(p.since_ms), "disabled": p.disabled}
        for p in await ledger.operators()
    ]


async def record_review(
    ledger: ControlLedger, subject: str, seen: list[dict[str, Json]], *, note: str, actor: Actor
) -> int:
    """Record that this person reviewed this list (`access_review_completed`); return the event's sequence.

    Args:
        subject: `agents` or `operators`.
        note: What came of it, in the reviewer's words.
    """
    names: list[Json] = [entry.get("agentId", entry.get("name", "")) for entry in seen]
    payload: dict[str, Json] = {
        "subject": subject,
        "reviewed": names,
        "count": str(len(seen)),
        "note": required_reason(note),
    }
    return await ledger.record(EventType.ACCESS_REVIEW_COMPLETED, payload, actor=actor)


def _is_usable(key: AgentKey, now_ms: int) -> bool:
    return not key.revoked and (key.expires_at_ms is None or key.expires_at_ms > now_ms)


def _key(key: AgentKey, now_ms: int) -> dict[str, Json]:
    age_days = (now_ms - key.issued_at_ms) // DAY_MS
    return {
        "keyId": key.key_id,
        "issuedAt": rfc3339(key.issued_at_ms),
        "expiresAt": "" if key.expires_at_ms is None else rfc3339(key.expires_at_ms),
        "ageDays": age_days,
        "rotationOverdue": age_days > ROTATION_DAYS,
    }
