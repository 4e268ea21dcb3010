"""What is asked of the ledger without deciding anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.adapters.sqlite.rows import SELECT, SELECT_OPEN, find_row, read_row
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.identifiers import ZERO_ADDRESS, AssetId, ChainId
from mcp_wallet.core.intent import Agent
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.merkle import root_at
from mcp_wallet.ports import BudgetLine, Clock, PaymentRecord

_OVERDUE: Final = (
    "SELECT 1 FROM payment WHERE id IN (SELECT id FROM open_payment) AND state IN ('reserved', 'pending_approval') "
    "AND expires_at_ms <= ? LIMIT 1"
)


@dataclass(slots=True)
class Queries:
    """Reads; methods run on the connection's thread, inside a transaction."""

    raw: Raw
    state: LedgerState
    names: KeyedNames
    clock: Clock

    def payment(self, *, agent_id: str, payment_id: str, reference: str, idempotency_key: str) -> PaymentRecord | None:
        """Return the agent's newest payment with the one key that is given; an empty agent id asks for all agents'."""
        if payment_id:
            found = find_row(self.raw, self.names, payment_id, self.state.decided)
            return found.record if found and agent_id in ("", found.record.intent.agent_id) else None
        column, value = ("reference", reference) if reference else ("idempotency_key", idempotency_key)
        row = self.raw.execute(
            f"{SELECT} WHERE {column} = ? AND {column} <> '' AND (agent_id = ? OR ? = '') ORDER BY id DESC LIMIT 1",
            (value, agent_id, agent_id),
        ).fetchone()
        return None if row is None else read_row(row).record

    def payments(self, *, agent_id: str, limit: int, states: Sequence[State]) -> list[PaymentRecord]:
        """Return payments, newest first."""
        marks = ", ".join("?" * len(states))
        among = f"AND state IN ({marks})" if states else ""
        rows = self.raw.execute(
            f"{SELECT} WHERE (agent_id = ? OR ? = '') {among} ORDER BY id DESC LIMIT ?",
            (agent_id, agent_id, *(str(s) for s in states), limit),
        ).fetchall()
        return [read_row(row).record for row in rows]

    def in_flight(self) -> list[PaymentRecord]:
        """Return payments that are reserved or further and not final, in nonce order."""
        rows = self.raw.execute(
            f"{SELECT_OPEN} AND state <> 'pending_approval' ORDER BY nonce IS NULL, nonce, id"
        ).fetchall()
        return [read_row(row).record for row in rows]

    def confirmed_since(self, since_ms: int) -> list[PaymentRecord]:
        """Return payments that were confirmed after this time, oldest first."""
        rows = self.raw.execute(
            f"{SELECT} WHERE settled_at_ms > ? AND state = 'confirmed' ORDER BY settled_at_ms LIMIT 1000", (since_ms,)
        ).fetchall()
        return [read_row(row).record for row in rows]

    def overdue(self) -> bool:
        """Return whether an approval or an approval request is over its time."""
        now_ms = max(self.clock(), self.state.books.last_event_ms)
        return self.raw.execute(_OVERDUE, (now_ms,)).fetchone() is not None

    def budget(self, agent: Agent, policy: CompiledPolicy) -> tuple[list[BudgetLine], tuple[str, ...]]:
        """Return one line per limit and asset symbol that this agent's payments count in."""
        settings, now_ms = self.state.control.settings, max(self.clock(), self.state.books.last_event_ms)
        lines: dict[tuple[str, str], BudgetLine] = {}
        frozen: tuple[str, ...] = ()
        for asset in settings.registry.assets if settings else ():
            probe = _probe(agent, asset.chain, asset.asset_id, now_ms)
            frozen = frozen or tuple(k for k in self.state.books.frozen_by(probe) if k in ("all", "agent"))
            for limit in policy.limits:
                parts = limit.matcher.mismatches(probe)
                if asset.chain not in policy.chains or set(parts) - {"recipients", "categories", "amount"}:
                    continue
                use = self.state.books.windows.use(limit, probe, now_ms)
                previous = lines.get((limit.limit_id, asset.symbol))
                shared = previous is not None and "asset" not in limit.group_by and "chain" not in limit.group_by
                chains = (*previous.chains, asset.chain) if shared and previous else (asset.chain,)
                key = (limit.limit_id, asset.symbol if shared or previous is None else asset.asset_id)
                lines[key] = BudgetLine(
                    limit_id=limit.limit_id,
                    asset=asset.asset_id,
                    chains=chains,
                    window=limit.window.words,
                    window_seconds=limit.window.rolling_seconds,
                    limit_units=(limit.max_units_by_asset or {}).get(asset.asset_id),
                    limit_count=limit.max_count,
                    spent_units=use.spent_units,
                    held_units=use.held_units,
                    count=use.count,
                )
        return list(lines.values()), frozen

    def root_at(self, size: int) -> bytes:
        """Return the root of the first `size` events; `ProofInvalid` when a stored hash is missing."""
        return root_at(size, self._hashes)

    def _hashes(self, sequence: int) -> bytes:
        row = self.raw.execute("SELECT hashes FROM event WHERE sequence = ?", (sequence,)).fetchone()
        return b"" if row is None else bytes(row[0])

    def store_checkpoint(self, size: int, note: str) -> None:
        """Keep a checkpoint; an equal size keeps the first."""
        self.raw.execute("INSERT OR IGNORE INTO checkpoint (size, note) VALUES (?, ?)", (size, note))


def _probe(agent: Agent, chain: ChainId, asset: AssetId, at_ms: int) -> Payment:
    return Payment(
        agent=agent.agent_id,
        operation="transfer",
        chain=chain,
        asset=asset,
        to=ZERO_ADDRESS,
        category=agent.category,
        amount_units=1,
        at_ms=at_ms,
    )
