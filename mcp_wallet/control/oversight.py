"""Payments and budgets as an operator sees them: all agents, nothing withheld."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mcp_wallet.contract.events import rfc3339
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy, compile_policy
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address, AssetId, checksum_address
from mcp_wallet.core.intent import Agent
from mcp_wallet.core.lifecycle import TOOL_STATUS, State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import AgentRow, BudgetLine, Ledger, PaymentRecord


class OperatorLedger(Ledger, ControlLedger, Protocol):
    """A ledger that serves both planes, as every adapter does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBudget:
    """What one agent has spent and may spend, and what freezes it."""

    agent_id: str
    policy_id: str
    lines: tuple[BudgetLine, ...]
    frozen_by: tuple[str, ...]


def states_of(status: str) -> tuple[State, ...]:
    """Return the ledger states that a status or a state names; all of them for empty text."""
    if not status:
        return ()
    found = tuple(s for s, shown in TOOL_STATUS.items() if status in (shown, str(s)))
    if not found:
        known = ", ".join(dict.fromkeys([*TOOL_STATUS.values(), *map(str, State)]))
        raise CallerError(ReasonCode.INTENT_INVALID, f"`{status[:40]}` is no status: use one of {known}.")
    return found


def payment_document(record: PaymentRecord, registry: Registry) -> dict[str, Json]:
    """Return everything that the ledger knows of a payment, but for its bytes."""
    intent = record.intent
    asset = registry.asset_by_id(AssetId(intent.asset))
    return {
        "paymentId": record.payment_id,
        "status": TOOL_STATUS[record.state],
        "state": str(record.state),
        "decision": str(record.outcome),
        "reasons": [r.document() for r in record.reasons],
        "decidedAt": rfc3339(record.decided_at_ms),
        "sequence": record.decision_sequence,
        "agentId": intent.agent_id,
        "chain": registry.chain(intent.chain).name,
        "asset": asset.symbol,
        "amount": format_amount(intent.amount_units, asset.decimals),
        "amountUnits": intent.amount,
        "to": checksum_address(Address(intent.to)),
        "payee": record.payee,
        "category": intent.category,
        "reference": intent.reference,
        "memo": record.memo,
        "idempotencyKey": record.idempotency_key,
        "fingerprint": record.fingerprint,
        "policyHash": record.policy_hash,
        "settingsHash": record.settings_hash,
        "nonce": "" if record.nonce is None else str(record.nonce),
        "transactionHash": record.transaction_hash,
        "blockNumber": "" if record.block_number is None else str(record.block_number),
    }


async def agent_budgets(
    ledger: OperatorLedger, settings: Settings, *, sender: Address, agent_id: str = ""
) -> list[AgentBudget]:
    """Return the budgets of one agent, or of all; `CallerError(INTENT_INVALID)` for a name nobody has."""
    rows = [row for row in await ledger.agents() if agent_id in ("", row.agent_id)]
    if agent_id and not rows:
        raise CallerError(ReasonCode.INTENT_INVALID, f"No agent is called `{agent_id[:64]}`.")
    documents = await ledger.active_policies()
    found = []
    for row in rows:
        policy = compiled_policy(documents, row.policy_id, settings)
        if policy is None:
            continue
        lines, frozen = await ledger.budget(agent_of(row, policy, settings, sender), policy)
        found.append(
            AgentBudget(agent_id=row.agent_id, policy_id=row.policy_id, lines=tuple(lines), frozen_by=tuple(frozen))
        )
    return found


def compiled_policy(
    documents: Mapping[str, tuple[str, str, Json]], policy_id: str, settings: Settings
) -> CompiledPolicy | None:
    """Return the active version of a policy; None when none is active."""
    active = documents.get(policy_id)
    if active is None:
        return None
    version, _, document = active
    return compile_policy(document, version=version, settings=settings)


def agent_of(row: AgentRow, policy: CompiledPolicy, settings: Settings, sender: Address) -> Agent:
    """Return the agent as its requests are read, by this policy."""
    return Agent(
        org_id=settings.org_id,
        agent_id=row.agent_id,
        environment=settings.environment,
        sender=sender,
        chains=policy.chains,
        policy_hash=policy.hash,
        settings_hash=settings.hash,
        category=row.category,
    )
