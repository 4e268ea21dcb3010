"""One simulated server process: the real wallet on a real ledger file, alive until it is killed between two steps."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

import aiosqlite

from mcp_wallet.adapters.evm.chain import EvmChain
from mcp_wallet.adapters.evm.node import Node
from mcp_wallet.adapters.lease import FileLease
from mcp_wallet.adapters.sqlite.connection import Raw, open_raw
from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.core.building import build_payment
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.local_key import LocalKey
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.signing_gate import Sealed
from mcp_wallet.payments.anchoring import Anchoring, Notary, check_rollback
from mcp_wallet.payments.wallet import SYSTEM, Wallet
from mcp_wallet.ports import Builder, Chains
from tests.sim.chain import SimChain
from tests.sim.node import Mood, SimNode

T = TypeVar("T")
CHAIN = ChainId("eip155:8453")
"""A chain with finality, and with block times that a clock is held against."""
_CURRENT: ContextVar["SimServer | None"] = ContextVar("server", default=None)


class Fate:
    """Decides at every step whether a server dies there, and counts the steps.

    Args:
        deaths: Of 100,000 steps, at how many the server that takes it dies.
    """

    def __init__(self, random: Random, *, deaths: int) -> None:
        self.random, self.deaths, self.steps = random, deaths, 0

    def strikes(self) -> bool:
        """Take one step; return whether it is the server's last."""
        self.steps += 1
        return self.random.randrange(100_000) < self.deaths


@dataclass
class SimAnchor:
    """A place outside the home; it survives every server."""

    notes: list[str] = field(default_factory=list)
    name: str = "outside"

    async def publish(self, note: str) -> None:
        self.notes.append(note)

    async def newest(self) -> str:
        return self.notes[-1] if self.notes else ""


@dataclass(frozen=True)
class Place:
    """What the servers of one home share: file, keys, anchor, chain and its nodes' moods.

    Args:
        build: What makes unsigned bytes.
    """

    path: Path
    home_key: bytes
    key: LocalKey
    settings: Settings
    notary: Notary
    anchor: SimAnchor
    chain: SimChain
    moods: Sequence[Mood]
    fate: Fate
    build: Builder = build_payment


class StraightConnection:
    """Stands for aiosqlite's connection: a transaction is one step, on the only thread there is."""

    def __init__(self, raw: Raw, server: "SimServer") -> None:
        self._conn, self._server = raw, server

    async def _execute(self, function: Callable[[], T]) -> T:
        await self._server.point()
        result = function()
        await self._server.point()
        return result

    async def close(self) -> None:
        self._conn.close()


@dataclass
class SimSigner:
    """The key behind a step on either side: a signature may be made and lost."""

    key: LocalKey
    point: Callable[[], Coroutine[Any, Any, None]]
    random: Random
    failures: int = 20

    @property
    def address(self) -> Address:
        return self.key.address

    async def sign(self, sealed: Sealed) -> bytes:
        await self.point()
        if self.random.randrange(1000) < self.failures:
            raise OutsideError(ReasonCode.SIGNER_UNAVAILABLE, "The signer does not answer.")
        signed = self.key.sign(sealed)
        await self.point()
        return signed


class SimServer:
    """A server from its start to `crash`; recovery begins with its wallet's own `start`."""

    def __init__(self, place: Place, clock: Callable[[], int], new_ledger: type[SqliteLedger] = SqliteLedger) -> None:
        self.place, self.clock, self.alive = place, clock, True
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in the order of their making: a set has none
        self._context = copy_context()
        self._context.run(_CURRENT.set, self)
        self._lease = FileLease(place.path.with_name("settlement.lock"))
        self._raw = open_raw(place.path, key=None, create=False)
        self.ledger = self._context.run(self._open_ledger, new_ledger)
        self.wallet = self._context.run(self._open_wallet)

    async def point(self) -> None:
        """Take a step: others run, and the server may die here."""
        await asyncio.sleep(0)
        if self.alive and self.place.fate.strikes():
            self.crash()
        if not self.alive:
            raise asyncio.CancelledError

    def run(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Return a task of this process: it is cancelled when the process dies."""
        return self._context.run(asyncio.get_running_loop().create_task, work)

    def crash(self) -> None:
        """Die as SIGKILL would have it: nothing is finished, the kernel closes what was open."""
        if not self.alive:
            return
        self.alive = False
        for task in list(self._tasks):
            task.cancel()
        self._raw.close()
        os.close(self.ledger._committer._lock_file)
        self._lease.release()

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """Count a task as this process's."""
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def _open_ledger(self, new_ledger: type[SqliteLedger]) -> SqliteLedger:
        place = self.place
        return new_ledger.over(
            cast("aiosqlite.Connection", StraightConnection(self._raw, self)),
            place.path,
            home_key=place.home_key,
            clock=self.clock,
            sender=place.key.address,
        )

    def _open_wallet(self) -> Wallet:
        place, ledger = self.place, self.ledger
        chain = EvmChain(place.settings.registry.chain(CHAIN), place.settings.chains[CHAIN], place.settings.registry)
        nodes: list[Node] = [
            SimNode(place.settings.registry.chain(CHAIN), place.chain, mood, place.fate.random, self.point)
            for mood in place.moods
        ]
        chain._nodes = tuple(nodes)
        seconds = asyncio.get_running_loop().time

        async def check() -> None:
            notes = [(place.anchor.name, await place.anchor.newest())]
            found = await check_rollback(await ledger.head(), ledger.root_at, notes, place.notary.verifier_key)
            if found is not None:
                ledger.halt(ReasonCode.ROLLBACK_DETECTED)
                await ledger.record("rollback_detected", {"kind": found.kind}, actor=SYSTEM)

        return Wallet(
            ledger=ledger,
            recorder=ledger,
            chains=Chains({CHAIN: chain}),
            signer=SimSigner(place.key, self.point, place.fate.random),
            settings=place.settings,
            notary=place.notary,
            anchoring=Anchoring(ledger, place.notary, [place.anchor], monotonic=seconds),
            lease=self._lease,
            clock=self.clock,
            check=check,
            build=place.build,
            monotonic=seconds,
        )


def adopt_tasks(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **rest: Any
) -> "asyncio.Future[Any]":
    """Make a task that belongs to the server in whose context it was made (a task factory)."""
    task = asyncio.Task(cast("Coroutine[Any, Any, Any]", work), loop=loop, **rest)
    server = _CURRENT.get()
    if server is not None:
        server.adopt(task)
    return task
