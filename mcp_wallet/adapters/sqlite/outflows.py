"""How far each chain's account was looked at, and what the ledger says of what happened since."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.state import LedgerState
from mcp_wallet.core.fact_checks import LOCAL
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.outflow import Books, Sighting, unexplained
from mcp_wallet.ports import Clock

SETTLED_EARLIER_MS: Final = 86_400_000
"""A payment may have been settled so long before its block was final."""
_UNDER_WAY: Final = (
    "SELECT transaction_hash FROM payment WHERE id IN (SELECT id FROM open_payment) AND chain = ? AND nonce IS NOT NULL"
)
_REPLACING: Final = (
    "SELECT transaction_hash FROM attempt WHERE payment IN (SELECT id FROM open_payment) "
    "AND transaction_hash IS NOT NULL"
)
_SETTLED: Final = (
    "SELECT transaction_hash, block_number, settled_at_ms, fee_wei, state, asset, amount FROM payment "
    "WHERE settled_at_ms > ? AND chain = ?"
)


class _Watched(NamedTuple):
    """The last look; `quiet_*` is the last one at which nothing was under way and the balance could be compared."""

    block: int
    nonce: int
    at_ms: int
    quiet_block: int
    quiet_wei: int
    quiet_ms: int


@dataclass(slots=True)
class Outflows:
    """Methods run on the connection's thread, inside a transaction."""

    raw: Raw
    state: LedgerState
    clock: Clock

    def watched_block(self, chain: ChainId) -> int | None:
        """Return the block of the last look, None before the first."""
        found = self._watched(chain)
        return None if found is None else found.block

    def begin_anew(self) -> None:
        """Forget what was seen of the development chain; what any other chain has shown is never forgotten.

        Blocks that held its payments are no longer to be looked for: they went with the old chain, which is no
        reorganisation. The trail keeps their numbers.
        """
        self.raw.execute("DELETE FROM watched WHERE chain = ?", (LOCAL,))
        self.raw.execute("UPDATE payment SET block_number = NULL WHERE chain = ? AND state = 'confirmed'", (LOCAL,))

    def account_for(self, chain: ChainId, seen: Sighting) -> str:
        """Compare a look with the ledger and remember it; return what is unexplained, or empty text."""
        before = self._watched(chain)
        if before is None or (seen.block < before.block and chain == LOCAL):  # a development chain that began anew
            self._remember(chain, seen, quiet=None)
            return ""
        if seen.block <= before.block:
            return ""
        under_way = [row[0] for row in self.raw.execute(_UNDER_WAY, (chain,)).fetchall()]
        settled = self.raw.execute(_SETTLED, (before.quiet_ms - SETTLED_EARLIER_MS, chain)).fetchall()
        replacing = [row[0] for row in self.raw.execute(_REPLACING).fetchall()]
        hashes = {*under_way, *replacing, *(row[0] for row in settled)}
        left_wei = None if under_way else before.quiet_wei - sum(_cost_wei(row, before, seen) for row in settled)
        following = self.state.books.next_nonce.get(chain, 0)
        books = Books(hashes=hashes, nonce_max=max(following, before.nonce), native_least_wei=left_wei)
        self._remember(chain, seen, quiet=before if under_way else None)
        return unexplained(seen, books)

    def _watched(self, chain: ChainId) -> _Watched | None:
        row = self.raw.execute(
            "SELECT block, nonce, at_ms, quiet_block, quiet_wei, quiet_ms FROM watched WHERE chain = ?", (chain,)
        ).fetchone()
        if row is None:
            return None
        block, nonce, at_ms, quiet_block, quiet_wei, quiet_ms = row
        return _Watched(block, nonce, at_ms, quiet_block, int(quiet_wei), quiet_ms)

    def _remember(self, chain: ChainId, seen: Sighting, *, quiet: _Watched | None) -> None:
        """Keep the look; with something under way the balance stays to be compared with an earlier one."""
        now_ms = max(self.clock(), self.state.books.last_event_ms)
        calm = (seen.block, str(seen.native_wei), now_ms)
        if quiet is not None:
            calm = (quiet.quiet_block, str(quiet.quiet_wei), quiet.quiet_ms)
        self.raw.execute(
            "INSERT OR REPLACE INTO watched (chain, block, nonce, at_ms, quiet_block, quiet_wei, quiet_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (chain, seen.block, seen.nonce, now_ms, *calm),
        )


def _cost_wei(row: tuple[str, int | None, int, str, str, str, str], before: _Watched, seen: Sighting) -> int:
    """Return what a settled payment took of the native coin between the two looks, at most."""
    _, block, settled_at_ms, fee_wei, state, asset, amount = row
    between = settled_at_ms > before.quiet_ms if block is None else before.quiet_block < block <= seen.block
    if not between:
        return 0
    return int(fee_wei) + (int(amount) if "/slip44:" in asset and state == "confirmed" else 0)
