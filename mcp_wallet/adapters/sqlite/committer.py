"""One owning connection, one committer, many callers per commit.

A ledger operation is one synchronous function that runs on the connection's thread between BEGIN IMMEDIATE and COMMIT;
while one batch commits, the next gathers. A caller that is cancelled leaves its operation running: what was asked of
the ledger happens, and asking again by payment id tells the outcome. Between processes a file lock queues the writers,
so nobody spins on SQLite's busy handler.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite
import sqlcipher3.dbapi2 as sqlcipher

from mcp_wallet.adapters.sqlite.connection import Raw, database_errors, open_raw
from mcp_wallet.adapters.sqlite.state import ListingNeeded
from mcp_wallet.adapters.sqlite.unwritten import Later
from mcp_wallet.core.errors import InvariantBroken, OutsideError, WalletError
from mcp_wallet.core.reasons import ReasonCode

T = TypeVar("T")
BATCH_MAX: Final = 256
Operation = Callable[[], Any]
"""Runs inside a transaction."""


class Committer:
    """Runs operations on the connection's own thread.

    Args:
        connection: Opened by `open`, never shared.
        begin: Called after BEGIN with the raw connection and whether it may write, to bring memory up to date.
        forget: Called after a rollback: whatever memory holds may be wrong.
        write_out: Gives the engine the events that operations have kept back.
        list_payments: Brings the table of payments up to date, too; raises `ListingNeeded` where it may not write.
        settled: Called when memory holds exactly what is committed: after a commit, and before a read.
        writes: Returns how many events were appended so far, to tell whether a refusing operation had written.
    """

    def __init__(
        self,
        connection: aiosqlite.Connection,
        *,
        lock_path: Path,
        begin: Callable[[Raw, bool], None],
        forget: Callable[[], None],
        write_out: Callable[[Raw], None],
        list_payments: Callable[[Raw], None],
        settled: Callable[[], None],
        writes: Callable[[], int],
    ) -> None:
        """Take the parts; nothing runs until the first call."""
        self._connection = connection
        self._begin, self._forget, self._writes, self._settled = begin, forget, writes, settled
        self._write_out, self._list_payments = write_out, list_payments
        self._lock_file = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._queue: list[tuple[Operation, bool, asyncio.Future[Any]]] = []
        self._drain: asyncio.Task[None] | None = None
        self.commits = 0

    async def write(self, operation: Callable[[], T]) -> T:
        """Run the operation in the next commit; what it returned is durable when this returns.

        It finds in the tables what earlier operations of its batch have written.
        """
        outcome: T = await self._queued(operation, reads_tables=True)
        return outcome

    async def write_later(self, operation: Callable[[], Later[T]]) -> T:
        """As `write`, for an operation that reads no table but the guards' and leaves its writing for later."""
        outcome: T = await self._queued(operation, reads_tables=False)
        return outcome

    async def _queued(self, operation: Operation, *, reads_tables: bool) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append((operation, reads_tables, future))
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._drain_queue())
        return await future  # a caller that is cancelled cancels its future, never the operation

    async def read(self, operation: Callable[[], T], *, of_payments: bool = True) -> T:
        """Run the operation on one snapshot that holds everything committed by any process before the call.

        Args:
            of_payments: Whether it reads the table of payments, which may have to be brought up to date first.
        """
        try:
            return await _on_thread(self._connection, lambda: self._read_transaction(operation, of_payments))
        except ListingNeeded:
            return await self.write(operation)

    async def close(self) -> None:
        """Finish the queue, then close; the thread ends."""
        if self._drain is not None:
            await self._drain
        await self._connection.close()
        os.close(self._lock_file)

    async def _drain_queue(self) -> None:
        while self._queue:
            batch, self._queue = self._queue[:BATCH_MAX], self._queue[BATCH_MAX:]
            outcomes = await self._commit([entry[:2] for entry in batch])
            for (_, _, future), outcome in zip(batch, outcomes, strict=True):
                if future.done():
                    continue
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    async def _commit(self, operations: list[tuple[Operation, bool]]) -> list[Any]:
        """Return one outcome per operation; what fails the whole batch is the outcome of each."""
        try:
            return await _on_thread(self._connection, lambda: self._write_transaction(operations))
        except Exception as error:  # noqa: BLE001  whatever it was, each caller must hear of it: none may wait for ever
            return [error] * len(operations)

    # -- on the connection's thread ----------------------------------------------------------------------------

    def _write_transaction(self, operations: list[tuple[Operation, bool]]) -> list[Any]:
        raw = _raw(self._connection)
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            with database_errors():
                raw.execute("BEGIN IMMEDIATE")
                self._begin(raw, True)  # noqa: FBT003  see the constructor
                outcomes = []
                for operation, reads_tables in operations:
                    if reads_tables:
                        self._list_payments(raw)
                    outcomes.append(self._outcome(operation))
                self._write_out(raw)
                raw.execute("COMMIT")
            self.commits += 1
            self._settled()
        except BaseException:
            self._roll_back(raw)
            raise
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)
        return [outcome.value if isinstance(outcome, Later) else outcome for outcome in outcomes]

    def _outcome(self, operation: Operation) -> Any:
        """Return what the operation returned or why it refused; a refusal after a write fails the whole batch."""
        before = self._writes()
        try:
            return operation()
        except WalletError as error:
            if self._writes() != before:
                message = "a ledger operation refused after it had written"
                raise InvariantBroken(message) from error
            return error

    def _read_transaction(self, operation: Callable[[], T], of_payments: bool) -> T:  # noqa: FBT001  private, one caller
        raw = _raw(self._connection)
        with database_errors():
            raw.execute("BEGIN")
            try:
                self._begin(raw, False)  # noqa: FBT003  see the constructor
                self._settled()
                if of_payments:
                    self._list_payments(raw)
                return operation()
            finally:
                raw.execute("ROLLBACK")

    def _roll_back(self, raw: Raw) -> None:
        self._forget()
        if raw.in_transaction:
            try:
                raw.execute("ROLLBACK")
            except sqlcipher.DatabaseError as error:
                raise OutsideError(ReasonCode.LEDGER_UNAVAILABLE, "The ledger could not be rolled back.") from error


async def connect(path: Path, *, key: bytes | None, create: bool) -> aiosqlite.Connection:
    """Return aiosqlite's connection with our engine on its thread; errors as `open_raw`."""
    return await aiosqlite.Connection(lambda: open_raw(path, key=key, create=create), iter_chunk_size=64)


async def _on_thread(connection: aiosqlite.Connection, function: Callable[[], T]) -> T:
    """Run a function on the connection's thread: the one place that uses aiosqlite's private entry point (ADR 6)."""
    result: T = await connection._execute(function)  # type: ignore[no-untyped-call]  # noqa: SLF001  pinned, see ADR 6
    return result


def _raw(connection: aiosqlite.Connection) -> Raw:
    return connection._conn  # noqa: SLF001  pinned to 0.22.1 and held by a test


def raw_of(committer: Committer) -> Raw:
    """Return the engine's connection, to be used only by operations on its own thread."""
    return _raw(committer._connection)  # noqa: SLF001  the same module
