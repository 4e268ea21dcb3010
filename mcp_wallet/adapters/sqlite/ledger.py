"""The ledger on SQLite: the port's verbs, each one function inside one transaction.

Nothing is decided here: `gate.py` holds Gate 1's transaction, `execution.py` the payment's life, `operator_plane.py`
the operators' acts. This file says which of them runs as a write, which as a read.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import aiosqlite

from mcp_wallet.adapters.sqlite.access import Access
from mcp_wallet.adapters.sqlite.committer import Committer, connect, raw_of
from mcp_wallet.adapters.sqlite.duplicates import Guards
from mcp_wallet.adapters.sqlite.execution import Execution
from mcp_wallet.adapters.sqlite.gate import Gate
from mcp_wallet.adapters.sqlite.keyed import KeyedNames
from mcp_wallet.adapters.sqlite.operator_plane import OperatorPlane
from mcp_wallet.adapters.sqlite.outflows import Outflows
from mcp_wallet.adapters.sqlite.policy_lists import PolicyLists
from mcp_wallet.adapters.sqlite.queries import Queries
from mcp_wallet.adapters.sqlite.replacements import Replacements
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.adapters.sqlite.trail import head_of
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import NO_FACTS, Decision, Facts, Reason
from mcp_wallet.core.explain import Explanation
from mcp_wallet.core.identifiers import ZERO_ADDRESS, Address, ChainId
from mcp_wallet.core.intent import Agent, PaymentDraft
from mcp_wallet.core.lifecycle import State, Step
from mcp_wallet.core.outflow import Sighting
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settlement_gate import Receipt
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, Signed
from mcp_wallet.ports import (
    Actor,
    Approved,
    Attempt,
    BudgetLine,
    Builder,
    Clock,
    Denied,
    Head,
    PaymentRecord,
    Rebuilder,
    Replayed,
)


class SqliteLedger(OperatorPlane):
    """`ports.Ledger` and `ports.ControlLedger` on one file that several processes share."""

    def __init__(
        self, committer: Committer, state: LedgerState, *, home_key: bytes, clock: Clock, sender: Address
    ) -> None:
        """Use `open` or `create`."""
        super().__init__(committer, state, home_key=home_key, clock=clock, sender=sender)
        raw, names = raw_of(committer), KeyedNames(home_key)
        self._gate = Gate(raw, state, Guards(raw, state), names, clock)
        self._execution = Execution(raw, state, names, clock)
        self._replacements = Replacements(raw, state, names, clock)
        self._outflows = Outflows(raw, state, clock)
        self._queries = Queries(raw, state, names, clock)
        self._access = Access(state, home_key, clock, sender)

    @classmethod
    async def open(
        cls, path: Path, *, database_key: bytes | None, home_key: bytes, clock: Clock, sender: Address = ZERO_ADDRESS
    ) -> Self:
        """Return the ledger of an existing file; `OwnerError(LEDGER_UNAVAILABLE)` when it is missing or locked away.

        Args:
            database_key: 32 bytes, or None for a plaintext home.
            sender: The home's account address; may be left out where nobody pays.
        """
        return await cls._connect(path, database_key, home_key, clock, sender, create=False)

    @classmethod
    async def create(
        cls, path: Path, *, database_key: bytes | None, home_key: bytes, clock: Clock, sender: Address = ZERO_ADDRESS
    ) -> Self:
        """Return a new, empty ledger; `OwnerError(LEDGER_UNAVAILABLE)` when the file exists."""
        return await cls._connect(path, database_key, home_key, clock, sender, create=True)

    @classmethod
    async def _connect(
        cls, path: Path, database_key: bytes | None, home_key: bytes, clock: Clock, sender: Address, *, create: bool
    ) -> Self:
        connection = await connect(path, key=database_key, create=create)
        return cls.over(connection, path, home_key=home_key, clock=clock, sender=sender)

    @classmethod
    def over(
        cls, connection: aiosqlite.Connection, path: Path, *, home_key: bytes, clock: Clock, sender: Address
    ) -> Self:
        """Return the ledger on a connection of its own that is open already."""
        state = LedgerState(PolicyLists(home_key))
        committer = Committer(
            connection,
            lock_path=path.with_name(path.name + ".lock"),
            begin=state.refresh,
            forget=state.forget,
            write_out=state.write_out,
            list_payments=state.list_payments,
            settled=state.settle,
            writes=lambda: state.writes,
        )
        return cls(committer, state, home_key=home_key, clock=clock, sender=sender)

    @property
    def commits(self) -> int:
        """Commits so far, for measurements."""
        return self._committer.commits

    def halt(self, code: ReasonCode) -> None:
        """Refuse every further decision, claim and expiry of this process with a code (`ROLLBACK_DETECTED`)."""
        self._gate.halted = str(code)
        self._execution.halted = True
        self._approvals.halted = True

    @property
    def halted(self) -> bool:
        """See `ports.Ledger`."""
        return self._execution.halted

    # -- agent plane -------------------------------------------------------------------------------------------

    async def authenticate(self, api_key: str) -> tuple[Agent, CompiledPolicy, Settings]:
        """See `ports.Ledger`."""
        return await self._committer.read(lambda: self._access.authenticate(api_key), of_payments=False)

    async def preview(self, draft: PaymentDraft) -> Denied | Replayed | None:
        """See `ports.Ledger`."""
        found = await self._committer.read(lambda: self._gate.preview(draft), of_payments=False)
        if isinstance(found, Replayed):
            return found
        if not found:
            return None
        decided = await self._committer.write_later(
            lambda: self._gate.decide_and_reserve(draft, NO_FACTS, only_refuse=True)
        )
        assert not isinstance(decided, Approved), "without facts nothing is approved"  # noqa: S101
        return decided

    async def decide_and_reserve(self, draft: PaymentDraft, facts: Facts) -> Approved | Denied | Replayed:
        """See `ports.Ledger`."""
        decided = await self._committer.write_later(lambda: self._gate.decide_and_reserve(draft, facts))
        assert decided is not None, "a full decision is never left out"  # noqa: S101
        return decided

    async def simulate(self, draft: PaymentDraft) -> Decision:
        """See `ports.Ledger`."""
        return await self._committer.write(lambda: self._gate.simulate(draft))

    async def explain(self, draft: PaymentDraft, policy: CompiledPolicy | None = None) -> Explanation:
        """See `control_ports.ControlLedger`."""
        return await self._committer.read(lambda: self._gate.explain(draft, policy))

    async def payment(
        self, *, agent_id: str, payment_id: str = "", reference: str = "", idempotency_key: str = ""
    ) -> PaymentRecord | None:
        """See `ports.Ledger`."""
        return await self._committer.read(
            lambda: self._queries.payment(
                agent_id=agent_id, payment_id=payment_id, reference=reference, idempotency_key=idempotency_key
            )
        )

    async def payments(
        self, *, agent_id: str = "", limit: int = 20, states: Sequence[State] = ()
    ) -> list[PaymentRecord]:
        """See `ports.Ledger`."""
        return await self._committer.read(lambda: self._queries.payments(agent_id=agent_id, limit=limit, states=states))

    async def budget(self, agent: Agent, policy: CompiledPolicy) -> tuple[list[BudgetLine], tuple[str, ...]]:
        """See `ports.Ledger`."""
        return await self._committer.read(lambda: self._queries.budget(agent, policy), of_payments=False)

    # -- execution ---------------------------------------------------------------------------------------------

    async def claim(self, payment_id: str, build: Builder) -> Sealed | GateRefusal | None:
        """See `ports.Ledger`."""
        return await self._committer.write(lambda: self._execution.claim(payment_id, build))

    async def sealed(self, payment_id: str) -> Sealed | None:
        """See `ports.Ledger`."""
        return await self._committer.read(lambda: self._execution.sealed(payment_id))

    async def store_signed(self, signed: Signed) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(lambda: self._execution.store_signed(signed))

    async def reject_signed(self, payment_id: str, refusal: GateRefusal) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(lambda: self._execution.reject_signed(payment_id, refusal))

    async def mark_broadcast(self, payment_id: str) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(
            lambda: self._execution.advance(payment_id, Step.SEND, EventType.TRANSACTION_BROADCAST)
        )

    async def mark_unknown(self, payment_id: str) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(
            lambda: self._execution.advance(payment_id, Step.LOSE_SIGHT, EventType.TRANSACTION_UNKNOWN)
        )

    async def confirm(self, payment_id: str, receipt: Receipt) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(lambda: self._execution.confirm(payment_id, receipt))

    async def fail(self, payment_id: str, reason: Reason, receipt: Receipt | None) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(lambda: self._execution.fail(payment_id, reason, receipt))

    async def settlement_mismatch(self, payment_id: str, receipt: Receipt, observed: str) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(lambda: self._execution.settlement_mismatch(payment_id, receipt, observed))

    async def attempts(self, payment_id: str) -> tuple[Attempt, ...]:
        """See `ports.Ledger`."""
        return await self._committer.read(lambda: self._replacements.attempts(payment_id))

    async def claim_replacement(self, payment_id: str, rebuild: Rebuilder) -> Sealed | None:
        """See `ports.Ledger`."""
        if self.halted:
            return None
        return await self._committer.write(lambda: self._replacements.claim(payment_id, rebuild))

    async def store_replacement(self, signed: Signed, sealed: Sealed) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(lambda: self._replacements.store_signed(signed, sealed))

    async def reorg(self, payment_id: str) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(lambda: self._execution.reorg(payment_id))

    async def resolve(self, payment_id: str, *, paid: bool, reason: str, actor: Actor) -> bool:
        """See `ports.Ledger`."""
        return await self._committer.write(
            lambda: self._execution.resolve(payment_id, paid=paid, reason=reason, actor=actor)
        )

    async def outflow(self, chain: ChainId, observed: str) -> None:
        """See `ports.Ledger`."""
        await self._committer.write(lambda: self._execution.outflow(chain, observed))

    async def watched_block(self, chain: ChainId) -> int | None:
        """See `ports.Ledger`."""
        return await self._committer.read(lambda: self._outflows.watched_block(chain))

    async def watch_anew(self) -> None:
        """Begin the outflow watch of chain `local` anew: the development chain itself did."""
        await self._committer.write(self._outflows.begin_anew)

    async def account_for(self, chain: ChainId, seen: Sighting) -> None:
        """See `ports.Ledger`."""

        def compare() -> None:
            observed = self._outflows.account_for(chain, seen)
            if observed:
                self._execution.outflow(chain, observed)

        await self._committer.write(compare)

    async def confirmed_since(self, since_ms: int) -> list[PaymentRecord]:
        """See `ports.Ledger`."""
        return await self._committer.read(lambda: self._queries.confirmed_since(since_ms))

    async def expire_overdue(self) -> int:
        """See `ports.Ledger`."""
        overdue = await self._committer.read(self._queries.overdue)
        return await self._committer.write(self._execution.expire_overdue) if overdue else 0

    async def in_flight(self) -> list[PaymentRecord]:
        """See `ports.Ledger`."""
        return await self._committer.read(self._queries.in_flight)

    async def head(self) -> Head:
        """See `ports.Ledger`."""
        return await self._committer.read(lambda: head_of(self._state), of_payments=False)

    async def settled_head(self) -> Head:
        """See `ports.Ledger`."""
        found = self._state.settled
        return await self.head() if found is None else Head(size=found.size, root=found.root())

    async def root_at(self, size: int) -> bytes:
        """Return the root of the first `size` events from the stored subtree hashes; `ProofInvalid` at a hole."""
        return await self._committer.read(lambda: self._queries.root_at(size), of_payments=False)

    async def store_checkpoint(self, size: int, note: str) -> None:
        """Keep a signed checkpoint beside the trail; an equal size keeps the first."""
        await self._committer.write(lambda: self._queries.store_checkpoint(size, note))

    async def close(self) -> None:
        """See `ports.Ledger`."""
        await self._committer.close()
