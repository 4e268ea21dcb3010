"""Power loss: the real ledger on a disk that remembers every write, rebuilt as it may look after any of them.

What was synchronised is there; of what was not, each write is kept, lost or torn at a sector, and an unlinked file may
come back until its folder was synchronised. `python -m tests.faults.powerloss --points 3000` prints what was found.
"""

import argparse
import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast

import aiosqlite
import apsw
import sqlcipher3.dbapi2 as sqlcipher

from mcp_wallet.adapters.sqlite import connection
from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.adapters.sqlite.policy_lists import PolicyLists
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.control.audit.verify import verify_trail
from mcp_wallet.core.errors import WalletError
from tests.approved import KEY
from tests.trails import decide, pay, sign
from tests.worlds import LedgerWorld, populated

HOME_KEY = b"\x22" * 32
SECTOR = 512
CHECKPOINT_PAGES = 20
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
UNPROVEN = {"unverified_key", "no_checkpoint"}
"""Findings of a trail without an anchor; everything else is damage."""


@dataclass(frozen=True)
class Write:
    """Bytes at a place; `end` instead of bytes is a truncation, neither is an unlink."""

    name: str
    offset: int = 0
    content: bytes | None = None
    end: int | None = None


@dataclass(frozen=True)
class Sync:
    """A file's earlier writes are durable; for a folder, what was unlinked in it."""

    name: str


@dataclass(frozen=True)
class Acknowledged:
    """The ledger has answered: so many events, with this root, must never be lost."""

    size: int
    root: bytes


Operation = Write | Sync | Acknowledged


class _File(apsw.VFSFile):
    def __init__(self, log: list[Operation], name: Any, flags: list[int]) -> None:
        self._log = log
        self._name = Path(name if isinstance(name, str) else name.filename()).name
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  SQLite's names
        self._log.append(Write(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._log.append(Write(self._name, end=newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._log.append(Sync(self._name))
        super().xSync(flags)


class Recorder(apsw.VFS):
    """A disk that remembers; one at a time, under the name `recorded`."""

    def __init__(self) -> None:
        self.log: list[Operation] = []
        super().__init__("recorded", "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:  # noqa: N802
        return _File(self.log, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        name = Path(filename).name
        self.log.append(Write(name))
        if syncdir:
            self.log.append(Sync(""))
        super().xDelete(filename, syncdir)


class Engine:
    """APSW under the interface that the ledger uses of its driver."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path), vfs="recorded")
        self.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def cursor(self) -> "Engine":
        return self

    def execute(self, sql: str, values: Sequence[Any] = ()) -> "_Rows":
        return _Rows(self._connection, self._connection.execute(sql, tuple(values)))

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(sql, [tuple(row) for row in rows])

    def close(self) -> None:
        self._connection.close()


class _Rows:
    def __init__(self, owner: apsw.Connection, cursor: apsw.Cursor) -> None:
        self._cursor, self.rowcount = cursor, owner.changes()

    def fetchone(self) -> Any:
        return next(iter(self._cursor), None)

    def fetchall(self) -> list[Any]:
        return list(self._cursor)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


class _Connection:
    """Stands for aiosqlite's: each transaction runs at once, and its head is acknowledged when it returns."""

    def __init__(self, engine: Engine) -> None:
        self._conn = engine
        self.answered: Callable[[], None] = lambda: None

    async def _execute(self, function: Any) -> Any:
        result = function()
        self.answered()
        return result

    async def close(self) -> None:
        self._conn.close()


def _acknowledged(ledger: SqliteLedger) -> "Acknowledged":
    assert ledger._state.settled is not None, "an answer follows a transaction"
    return Acknowledged(ledger._state.settled.size, ledger._state.settled.root())


async def record(folder: Path, payments: int) -> list[Operation]:
    """Return every write of a ledger's life: its creation, then so many payments and denials."""
    disk = Recorder()
    engine = Engine(folder / "ledger.db")
    connection._configure(cast("connection.Raw", engine), None)
    engine.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}").fetchall()
    connection._migrate(cast("connection.Raw", engine), 0)
    clock = iter(range(1_780_000_000_000, 1_790_000_000_000))
    path = folder / "ledger.db"
    opened = _Connection(engine)
    ledger = SqliteLedger.over(
        cast("aiosqlite.Connection", opened), path, home_key=HOME_KEY, clock=lambda: next(clock), sender=KEY.address
    )
    opened.answered = lambda: disk.log.append(_acknowledged(ledger))
    world = await populated(ledger, path, home_key=HOME_KEY, clock=lambda: next(clock))
    await _live(world, payments)
    await ledger.close()
    del disk.log[_end_of_life(disk.log) :]
    return disk.log


async def _live(world: LedgerWorld, payments: int) -> None:
    for number in range(payments):
        if number % 3:
            await pay(world, f"invoice {number}")
        elif number % 2:
            await decide(world, f"invoice {number}", to="mallory")
        else:
            decided = await decide(world, f"invoice {number}")
            assert decided is not None
            await sign(world, decided.record.payment_id)


def _end_of_life(log: Sequence[Operation]) -> int:
    """Return where the last answer stands: a clean close is not what is tested."""
    return max(number for number, operation in enumerate(log) if isinstance(operation, Acknowledged)) + 1


@dataclass
class Disk:
    """What is durable, and what waits in the order of the writes."""

    durable: dict[str, bytearray] = field(default_factory=dict)
    waiting: list[Write] = field(default_factory=list)
    acknowledged: Acknowledged | None = None

    def follow(self, operation: Operation) -> None:
        """Take one more operation."""
        if isinstance(operation, Acknowledged):
            self.acknowledged = operation
        elif isinstance(operation, Write):
            self.waiting.append(operation)
        else:
            mine = [w for w in self.waiting if _is_made_durable(w, operation)]
            self.waiting = [w for w in self.waiting if not _is_made_durable(w, operation)]
            for write in mine:
                apply(self.durable, write)

    def after_loss(self, random: Random) -> dict[str, bytearray]:
        """Return the files as they may be found: each waiting write is kept, lost or torn."""
        files = {name: bytearray(content) for name, content in self.durable.items()}
        for write in self.waiting:
            luck = random.random()
            if luck < 0.4:
                apply(files, write)
            elif luck < 0.55 and write.content is not None and len(write.content) > SECTOR:
                kept = SECTOR * random.randint(1, len(write.content) // SECTOR)
                apply(files, Write(write.name, write.offset, write.content[:kept]))
        return files


def _is_made_durable(write: Write, sync: Sync) -> bool:
    is_unlink = write.content is None and write.end is None
    return is_unlink if sync.name == "" else write.name == sync.name and not is_unlink


def apply(files: dict[str, bytearray], write: Write) -> None:
    """Change the files as the write says."""
    if write.content is not None:
        content = files.setdefault(write.name, bytearray())
        content.extend(bytes(max(0, write.offset - len(content))))
        content[write.offset : write.offset + len(write.content)] = write.content
    elif write.end is not None:
        del files.setdefault(write.name, bytearray())[write.end :]
    else:
        files.pop(write.name, None)


def judge(files: dict[str, bytearray], acknowledged: Acknowledged, folder: Path) -> str:
    """Return `ok`, or what is wrong with a ledger that is opened from these files."""
    for old in folder.iterdir():
        old.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    path = folder / "ledger.db"
    try:
        raw = connection.open_raw(path, key=None, create=False)
    except WalletError as error:
        return f"it does not open: {error.code}"
    try:
        if raw.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            return "its pages are damaged"
        state = LedgerState(PolicyLists(HOME_KEY))
        state.refresh(raw, may_write=False)
        if state.frontier.size < acknowledged.size:
            return "acknowledged events are lost"
    except (sqlcipher.DatabaseError, TypeError, ValueError):  # rows that are not what was written
        return "its pages are damaged"
    finally:
        raw.close()
    return _judge_trail(path, acknowledged)


def _judge_trail(path: Path, acknowledged: Acknowledged) -> str:
    trail = SqliteTrail(path, key=None)
    try:
        report = verify_trail(trail, [], key=None)
        found = {finding.kind for finding in report.findings.shown} - UNPROVEN
        if found:
            return f"the trail is {', '.join(sorted(found))}"
        frontier_root = _root_of(trail, acknowledged.size)
    finally:
        trail.close()
    return "ok" if frontier_root == acknowledged.root else "acknowledged events are others"


def _root_of(trail: SqliteTrail, size: int) -> bytes:
    from mcp_wallet.core.merkle import Frontier, leaf_hash  # noqa: PLC0415  next to its only use

    frontier = Frontier.empty()
    for sequence, _, body in trail.rows():
        if sequence < size:
            frontier.append(leaf_hash(body))
    return frontier.root()


def lose_power(log: Sequence[Operation], *, points: int, seed: int, folder: Path) -> Counter[str]:
    """Return how often which outcome was found, over so many moments after the ledger's first answer."""
    random = Random(seed)
    first = next(n for n, operation in enumerate(log) if isinstance(operation, Acknowledged)) + 1
    moments = sorted(random.randint(first, len(log)) for _ in range(points))
    disk, done, outcomes = Disk(), 0, Counter[str]()
    for moment in moments:
        for operation in log[done:moment]:
            disk.follow(operation)
        done = moment
        assert disk.acknowledged is not None
        outcomes[judge(disk.after_loss(random), disk.acknowledged, folder)] += 1
    return outcomes


def main() -> int:
    """Print how many points were survived; return 1 when one was not."""
    parser = argparse.ArgumentParser(description="Lose power at many points of a ledger's life.")
    parser.add_argument("--points", type=int, default=3_000)
    parser.add_argument("--payments", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=MEMORY) as life, tempfile.TemporaryDirectory(dir=MEMORY) as after:
        log = asyncio.run(record(Path(life), options.payments))
        outcomes = lose_power(log, points=options.points, seed=options.seed, folder=Path(after))
    print(json.dumps({"points": options.points, "operations": len(log), "outcomes": dict(outcomes)}))  # noqa: T201  the verdict
    return 0 if set(outcomes) == {"ok"} else 1


if __name__ == "__main__":
    raise SystemExit(main())
