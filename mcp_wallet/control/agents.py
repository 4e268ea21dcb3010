"""Agents: a name, a policy that binds it, and an API key that is shown once."""

import base64
import re
import secrets
from dataclasses import dataclass, field

from mcp_wallet.contract.changes import Change, ChangeKind, ChangeState, NewChange
from mcp_wallet.control.justification import optional_reason, required_reason
from mcp_wallet.control.policies import propose_document
from mcp_wallet.control.policy_files import PolicyFile
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.credentials import SECRET_BYTES, credential_hash, format_api_key
from mcp_wallet.core.diff import Classification
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.four_eyes import second_person_required
from mcp_wallet.core.policy_commitment import policy_hash
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Actor, AgentRow

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgent:
    """An agent that was just proposed. The key is nowhere else: it is shown once.

    Args:
        bound_before: Agents that were bound to a policy of this id already and follow the same version.
        change: The proposal; when it is not in force yet, the key opens nothing.
    """

    agent_id: str
    policy_id: str
    policy_hash: str
    key_id: str
    bound_before: tuple[str, ...]
    change: Change
    api_key: str = field(repr=False)

    @property
    def in_force(self) -> bool:
        """Whether the key is good."""
        return self.change.state is ChangeState.ACTIVE


async def add_agent(
    ledger: ControlLedger,
    settings: Settings,
    *,
    name: str,
    policy: PolicyFile | str,
    category: str,
    home_key: bytes,
    actor: Actor,
    reason: str = "",
) -> NewAgent:
    """Return a proposed agent with its key; in a solo home it is in force, with its events, when this returns.

    Args:
        policy: The id of an active policy, or a file; a file that is not what is in force is put in force first, which
            only a solo home lets one person do.
        category: What this agent's payments are for where the payee does not say.

    Raises:
        CallerError: `INTENT_INVALID` for a name of the wrong shape or one that is taken; `SECOND_PERSON_REQUIRED` for a
            policy file that others have to approve first; `PERMISSION_DENIED`.
        OwnerError: `POLICY_MISSING`.
    """
    agents = await ledger.agents()
    for text, what in ((name, "name"), *(((category, "category"),) if category else ())):
        if _NAME.fullmatch(text) is None:
            raise _invalid(f"`{text[:64]}` is not a usable {what}: write letters, digits, `.`, `_` and `-`")
    if any(row.agent_id == name for row in agents):
        raise _invalid(f"An agent called `{name}` exists already: choose another name")
    why = optional_reason(reason)
    policy_id, digest = await _in_force(ledger, settings, policy, why, actor)
    key_id, api_key = _new_key(settings)
    named: dict[str, Json] = {"policyId": policy_id, "policyHash": digest, "category": category, "keyId": key_id}
    change = NewChange(
        kind=ChangeKind.AGENT,
        subject=name,
        body={**named, "secretHash": credential_hash(home_key, api_key)},
        detail=named,
        classification=Classification.LOOSENS,
        reason=why,
    )
    return NewAgent(
        agent_id=name,
        policy_id=policy_id,
        policy_hash=digest,
        key_id=key_id,
        bound_before=tuple(r.agent_id for r in agents if r.policy_id == policy_id),
        change=await ledger.propose(change, actor=actor),
        api_key=api_key,
    )


async def bind_agent(
    ledger: ControlLedger, *, name: str, policy_id: str, category: str | None, reason: str, actor: Actor
) -> Change:
    """Return the proposal to put an agent under another policy or category (as it was when None); it loosens.

    Raises:
        CallerError: `INTENT_INVALID` for an agent that nobody has, or when nothing would change; `PERMISSION_DENIED`.
        OwnerError: `POLICY_MISSING`.
    """
    row = await agent_row(ledger, name)
    wanted = row.category if category is None else category
    if wanted and _NAME.fullmatch(wanted) is None:
        raise _invalid(f"`{wanted[:64]}` is not a usable category: write letters, digits, `.`, `_` and `-`")
    if (row.policy_id, row.category) == (policy_id, wanted):
        raise _invalid(f"The agent `{name}` is bound so already")
    named: dict[str, Json] = {"policyId": policy_id, "category": wanted, "policyIdBefore": row.policy_id}
    change = NewChange(
        kind=ChangeKind.BINDING,
        subject=name,
        body=named,
        detail=named,
        classification=Classification.BOTH,
        reason=optional_reason(reason),
    )
    return await ledger.propose(change, actor=actor)


async def rotate_key(
    ledger: ControlLedger, settings: Settings, *, name: str, grace_ms: int, home_key: bytes, actor: Actor
) -> tuple[str, str]:
    """Return id and text of the agent's next key; its keys before it run out after the grace, in milliseconds."""
    key_id, api_key = _new_key(settings)
    secret_hash = credential_hash(home_key, api_key)
    await ledger.rotate_key(name, key_id=key_id, secret_hash=secret_hash, grace_ms=grace_ms, actor=actor)
    return key_id, api_key


async def revoke_key(ledger: ControlLedger, *, name: str, key_id: str, reason: str, actor: Actor) -> list[str]:
    """Return the ids of the keys that open nothing any more: one, or all of the agent's."""
    return await ledger.revoke_key(name, key_id=key_id, reason=required_reason(reason), actor=actor)


async def disable_agent(ledger: ControlLedger, *, name: str, reason: str, actor: Actor) -> None:
    """Let the agent do nothing any more; what it has under way is not signed."""
    await ledger.disable_agent(name, reason=required_reason(reason), actor=actor)


async def agent_row(ledger: ControlLedger, name: str) -> AgentRow:
    """Return one agent; `CallerError(INTENT_INVALID)` for a name nobody has."""
    found = next((row for row in await ledger.agents() if row.agent_id == name), None)
    if found is None:
        raise _invalid(f"No agent is called `{name[:64]}`")
    return found


async def _in_force(
    ledger: ControlLedger, settings: Settings, policy: PolicyFile | str, reason: str, actor: Actor
) -> tuple[str, str]:
    """Return id and hash of the policy that is in force, putting a file in force where one person may."""
    active = await ledger.active_policies()
    policy_id = policy if isinstance(policy, str) else policy.policy.policy_id
    digest = active[policy_id][1] if policy_id in active else ""
    if isinstance(policy, str):
        if not digest:
            sentence = f"No active policy is called `{policy_id[:64]}`: `mcp-wallet policy show` lists them."
            raise OwnerError(ReasonCode.POLICY_MISSING, sentence)
        return policy_id, digest
    wanted = policy_hash(policy.document)
    if wanted == digest:
        return policy_id, digest
    if not settings.solo:
        sentence = f"The policy `{policy_id}` of this file is not in force: propose it, and let another approve."
        raise second_person_required(sentence)
    change = await propose_document(ledger, settings, policy, checks={}, reason=reason, actor=actor)
    await ledger.put_in_force(change.sequence, actor=actor)
    return policy_id, wanted


def _new_key(settings: Settings) -> tuple[str, str]:
    key_id = base64.b32encode(secrets.token_bytes(5)).decode("ascii").lower()
    return key_id, format_api_key(settings.environment, key_id, secrets.token_bytes(SECRET_BYTES))


def _invalid(sentence: str) -> CallerError:
    return CallerError(ReasonCode.INTENT_INVALID, sentence + ".")
