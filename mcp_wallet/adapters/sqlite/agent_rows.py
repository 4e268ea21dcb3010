"""Agents as memory has them: by their keys, and by their names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.ports import AgentRow

AgentsByKey = dict[str, tuple[AgentRow, str]]
"""Each key's agent, as this key may act for it, and the keyed hash of the whole key."""

_ROWS: Final = (
    "SELECT a.agent_id, policy_id, category, owner, created_at_ms, disabled, key_id, secret_hash, expires_at_ms, "
    "revoked FROM agent a LEFT JOIN credential c ON c.agent_id = a.agent_id ORDER BY revoked DESC, issued_at_ms, key_id"
)


def read_agents(raw: Raw, policies: Mapping[str, CompiledPolicy]) -> tuple[AgentsByKey, dict[str, AgentRow]]:
    """Return agents by their keys, and by their names with their newest usable key."""
    by_key: AgentsByKey = {}
    by_name: dict[str, AgentRow] = {}
    for (
        agent_id,
        policy_id,
        category,
        owner,
        created_at_ms,
        disabled,
        key_id,
        digest,
        expires_at_ms,
        revoked,
    ) in raw.execute(_ROWS).fetchall():
        policy = policies.get(policy_id)
        row = AgentRow(
            agent_id=agent_id,
            policy_id=policy_id,
            policy_hash=policy.hash if policy else "",
            category=category,
            key_id=key_id or "",
            created_at_ms=created_at_ms,
            expires_at_ms=expires_at_ms,
            disabled=bool(disabled),
            owner=owner,
        )
        by_name[agent_id] = row
        if key_id is not None:
            by_key[key_id] = (replace(row, disabled=bool(disabled or revoked)), digest)
    return by_key, by_name
