"""Agents: a name, a policy that binds it, and an API key that is shown once."""

import base64
import re
import secrets
from dataclasses import dataclass, field

from mcp_wallet.control.policy_files import PolicyFile
from mcp_wallet.core.credentials import SECRET_BYTES, credential_hash, format_api_key
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Actor, AgentRow, ControlLedger

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgent:
    """An agent that was just created. The key is nowhere else: it is shown once.

    Args:
        bound_before: Agents that were bound to a policy of this id already and now follow this version as well.
    """

    agent_id: str
    policy_id: str
    policy_hash: str
    key_id: str
    bound_before: tuple[str, ...]
    api_key: str = field(repr=False)


async def add_agent(
    ledger: ControlLedger,
    settings: Settings,
    *,
    name: str,
    policy: PolicyFile,
    category: str,
    home_key: bytes,
    actor: Actor,
    now_ms: int,
) -> NewAgent:
    """Activate the policy, create the agent and return its key; both are durable, with their events.

    Args:
        category: What this agent's payments are for where the payee does not say.

    Raises:
        CallerError: `INTENT_INVALID` for a name of the wrong shape or one that is taken.
    """
    agents = await ledger.agents()
    for text, what in ((name, "name"), *(((category, "category"),) if category else ())):
        if _NAME.fullmatch(text) is None:
            raise _invalid(f"`{text[:64]}` is not a usable {what}: write letters, digits, `.`, `_` and `-`")
    if any(row.agent_id == name for row in agents):
        raise _invalid(f"An agent called `{name}` exists already: choose another name")
    policy_id = policy.policy.policy_id
    digest = await ledger.activate_policy(policy_id, policy.document, actor=actor)
    key_id = base64.b32encode(secrets.token_bytes(5)).decode("ascii").lower()
    api_key = format_api_key(settings.environment, key_id, secrets.token_bytes(SECRET_BYTES))
    row = AgentRow(
        agent_id=name,
        policy_id=policy_id,
        policy_hash=digest,
        category=category,
        key_id=key_id,
        created_at_ms=now_ms,
        expires_at_ms=None,
        disabled=False,
    )
    await ledger.add_agent(row, secret_hash=credential_hash(home_key, api_key), actor=actor)
    return NewAgent(
        agent_id=name,
        policy_id=policy_id,
        policy_hash=digest,
        key_id=key_id,
        bound_before=tuple(r.agent_id for r in agents if r.policy_id == policy_id),
        api_key=api_key,
    )


def _invalid(sentence: str) -> CallerError:
    return CallerError(ReasonCode.INTENT_INVALID, sentence + ".")
