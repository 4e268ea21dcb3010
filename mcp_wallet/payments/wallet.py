"""The wallet: everything that one home's payments need, with the work that goes on behind the answers."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from mcp_wallet.core.building import build_payment
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import WalletError
from mcp_wallet.core.settings import Settings
from mcp_wallet.payments.anchoring import Anchoring, Notary
from mcp_wallet.payments.approved import ApprovedPayments
from mcp_wallet.payments.desk import AgentDesk
from mcp_wallet.payments.outflow import OutflowWatch
from mcp_wallet.payments.pipeline import Pipeline
from mcp_wallet.payments.settle import Settlement
from mcp_wallet.payments.suppression import Suppressed
from mcp_wallet.ports import Actor, Builder, ChainPort, Chains, Clock, Ledger, Signer

log = logging.getLogger(__name__)

ROUND_SECONDS: Final = 5.0
APPROVED_LOOKS: Final = 5
"""How often within a round the wallet looks whether people approved a payment."""
ADOPT_AFTER_MS: Final = 10_000
"""A payment this old that is not final is adopted: whoever began it may be gone."""
LOOK_AGAIN_MS: Final = 3_600_000
"""So long the block of a confirmed payment is looked at again, unless it is final before."""
SYSTEM: Final = Actor(kind="system", name="wallet")


class Recorder(Protocol):
    """What the wallet itself needs of the operators' side: an event that changes no table, and what is in force."""

    async def settings(self) -> Settings | None:
        """See `control_ports.ControlLedger.settings`."""

    async def record(self, event_type: str, payload: dict[str, Json], *, actor: Actor) -> int:
        """See `control_ports.ControlLedger.record`."""


class Lease(Protocol):
    """At most one process of a home settles what other processes left; the lease is free when its holder dies."""

    def acquire(self) -> bool:
        """Return whether this process holds it now."""

    def release(self) -> None:
        """Give it back."""


class Wallet:
    """One home, open. `start` begins recovery and settlement; it is not needed for reading."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        recorder: Recorder,
        chains: Chains,
        signer: Signer,
        settings: Settings,
        notary: Notary,
        anchoring: Anchoring,
        lease: Lease,
        clock: Clock,
        check: Callable[[], Awaitable[None]],
        build: Builder = build_payment,
        monotonic: Callable[[], float] = time.monotonic,
        follow: Callable[[Settings], Sequence[ChainPort]] = lambda _: (),
    ) -> None:
        """Take the parts; nothing runs until `start`.

        Args:
            follow: Told of settings that came in force while the wallet is open; returns the chains that it replaced,
                which payments under way go on with until the wallet is closed.
            monotonic: Seconds of a clock that never goes back, for patience only.
            check: Awaited once before the first payment: compares ledger and anchors, and halts the ledger when it is
                behind (SPEC section 8, Rollback).
        """
        self.ledger, self.settings = ledger, settings
        self._recorder, self._notary, self._anchoring, self._lease = recorder, notary, anchoring, lease
        self._chains, self._clock, self._check, self._follow = chains, clock, check, follow
        self._replaced: list[ChainPort] = []
        self._settlement = Settlement(ledger, chains, signer, settings, monotonic, build)
        self._pipeline = Pipeline(ledger, chains, self._settlement)
        self._approved = ApprovedPayments(ledger, chains, self._settlement)
        self._suppressed = Suppressed(clock)
        self._outflow = OutflowWatch(ledger, chains, signer.address, monotonic)
        self._starting: asyncio.Task[None] | None = None
        self._round: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    def desk(self, api_key: str, *, claims: Mapping[str, str] | None = None) -> AgentDesk:
        """Return the desk of whoever holds the key; key and claims are checked at each call, not here."""
        return AgentDesk(
            api_key,
            self.ledger,
            self._pipeline,
            ready=self.start,
            answered=self._start_soon,
            checkpoint=self.checkpoint,
            suppressed=self._suppressed,
            claims=claims or {},
        )

    async def checkpoint(self) -> str:
        """Return a signed checkpoint over everything that this process has recorded or read so far."""
        return self._notary.note(await self.ledger.settled_head())

    async def start(self) -> None:
        """Check against the anchors, begin recovery, settlement and anchoring; once, however often it is awaited."""
        self._start_soon()
        assert self._starting is not None  # noqa: S101  just created
        await asyncio.shield(self._starting)

    async def follow_settings(self) -> None:
        """Reach nodes, and judge receipts, by the settings that are in force now; decisions do so by themselves."""
        active = await self._recorder.settings()
        if active is not None and active.hash != self.settings.hash:
            self._replaced += self._follow(active)
            self.settings = self._settlement.settings = active

    async def close(self) -> None:
        """Stop driving (everything durable goes on at the next start), anchor the head, close the ledger."""
        begun = [task for task in (self._starting, self._round, self._watching) if task is not None]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)  # a start that failed must not keep the ledger open
        await self._settlement.stop()
        self._lease.release()
        try:
            if self._starting is not None:
                await self._record_suppressed(all_of_them=True)
                await self._recorder.record("service_stopped", {}, actor=SYSTEM)
                await self._anchoring.close()
        except WalletError as error:
            log.warning("closing: %s", error.message)
        finally:
            for chain in (*self._chains.by_id.values(), *self._replaced):
                await chain.close()
            await self.ledger.close()

    def _start_soon(self) -> None:
        failed = self._starting is not None and self._starting.done() and self._failed(self._starting)
        if self._starting is None or failed:
            self._starting = asyncio.create_task(self._start())

    @staticmethod
    def _failed(task: "asyncio.Task[None]") -> bool:
        """Return whether a start failed: the next payment tries again, and fails closed until it succeeds."""
        return task.cancelled() or task.exception() is not None

    async def _start(self) -> None:
        await self._check()
        await self._recorder.record("service_started", {}, actor=SYSTEM)
        await self._anchoring.start()
        self._round = asyncio.create_task(self._rounds())
        self._watching = asyncio.create_task(self._watch_outflow())

    async def _rounds(self) -> None:
        """Recovery at the start, then the settlement loop under its lease."""
        adopt_after_ms = 0
        while True:
            try:
                await self.follow_settings()
                if not self.ledger.halted and self._lease.acquire():
                    await self.ledger.expire_overdue()
                    await self._adopt(adopt_after_ms)
                    await self._settlement.look_again(await self.ledger.confirmed_since(self._clock() - LOOK_AGAIN_MS))
                    adopt_after_ms = ADOPT_AFTER_MS
                await self._record_suppressed()
            except WalletError as error:
                log.warning("settlement waits: %s %s", error.code, error.message)
            await self._run_approved()

    async def _run_approved(self) -> None:
        """Until the next round, look again and again whether people approved something."""
        for _ in range(APPROVED_LOOKS):
            try:
                if not self.ledger.halted and self._lease.acquire():
                    await self._approved.run()
            except WalletError as error:
                log.warning("approved payments wait: %s %s", error.code, error.message)
            await asyncio.sleep(ROUND_SECONDS / APPROVED_LOOKS)

    async def _watch_outflow(self) -> None:
        """Look at the account for as long as this process holds the lease; beside the rounds, for nodes may be slow."""
        while True:
            try:
                if not self.ledger.halted and self._lease.acquire():
                    await self._outflow.look()
            except WalletError as error:
                log.warning("the outflow watch waits: %s %s", error.code, error.message)
            await asyncio.sleep(ROUND_SECONDS)

    async def _adopt(self, age_ms: int) -> None:
        """Drive every payment that is under way and old enough; one that is already driven here is left alone."""
        now_ms = self._clock()
        for record in await self.ledger.in_flight():
            if now_ms - record.decided_at_ms >= age_ms:
                self._settlement.start(record)

    async def _record_suppressed(self, *, all_of_them: bool = False) -> None:
        for agent_id, code, count in self._suppressed.take(all_of_them=all_of_them):
            payload: dict[str, Json] = {"agent": agent_id, "code": code, "count": str(count)}
            await self._recorder.record("requests_suppressed", payload, actor=SYSTEM)
