"""`durable_1` and `durable_64`: whole decisions a second against one-row FULL commits of the same engine and key."""

import asyncio
import secrets
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import sqlcipher3.dbapi2 as sqlcipher

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.core.decision import Facts
from mcp_wallet.core.intent import PaymentDraft, parse_request
from mcp_wallet.ports import Approved
from tests.bench.figures import Row, medians
from tests.worlds import LedgerWorld, ledger_world

ROUNDS = 7
SECONDS_FLOOR_ROWS = 400
DECISIONS = {1: 200, 64: 2_000}


async def durable() -> list[Row]:
    """Return the rows for one caller and for 64."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        key = secrets.token_bytes(32)
        floor = Floor(Path(folder) / "floor.db", key)
        for callers, bar in ((1, 0.25), (64, 1.6)):
            world = await ledger_world(Path(folder) / f"ledger-{callers}.db", database_key=key)
            pairs = [(floor.rate(), await _rate(world, callers, turn)) for turn in range(ROUNDS)]
            await world.ledger.close()
            figure, base, ratio = medians(pairs[1:])
            rows.append(
                Row(
                    id=f"durable_{callers}",
                    figure=figure,
                    unit="decisions/s",
                    floor=base,
                    ratio=ratio,
                    bar=bar,
                    higher_is_better=True,
                )
            )
    return rows


class Floor:
    """One row per commit, synchronous=EXTRA, WAL, the same cipher: what the disk and the engine cost by themselves."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._raw = cast("Raw", sqlcipher.connect(str(path), isolation_level=None))
        for pragma in (f"key=\"x'{key.hex()}'\"", "synchronous=EXTRA", "journal_mode=WAL"):
            self._raw.execute(f"PRAGMA {pragma}").fetchall()
        self._raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL) STRICT")

    def rate(self) -> float:
        """Return commits a second."""
        start = time.perf_counter()
        for _ in range(SECONDS_FLOOR_ROWS):
            self._raw.execute("BEGIN IMMEDIATE")
            self._raw.execute("INSERT INTO t (v) VALUES (?)", ("x" * 100,))
            self._raw.execute("COMMIT")
        return SECONDS_FLOOR_ROWS / (time.perf_counter() - start)


async def _rate(world: LedgerWorld, callers: int, turn: int) -> float:
    """Return decisions a second; the requests are parsed before, `gate_pure` has that."""
    each = DECISIONS[callers] // callers
    drafts = [[_draft(world, f"bench {turn}-{caller} {n}") for n in range(each)] for caller in range(callers)]
    start = time.perf_counter()
    await asyncio.gather(*(_caller(world.ledger, own) for own in drafts))
    return each * callers / (time.perf_counter() - start)


async def _caller(ledger: SqliteLedger, drafts: Sequence[PaymentDraft]) -> None:
    facts = Facts(source="stub", account_nonce=0)
    for draft in drafts:
        decided = await ledger.decide_and_reserve(draft, facts)
        assert isinstance(decided, Approved), decided


def _draft(world: LedgerWorld, reference: str) -> PaymentDraft:
    request = world.request(reference, amount="0.01")
    return parse_request(request, agent=world.agent, registry=world.registry, book=world.book)
