"""The trail as an auditor reads it: one snapshot through a connection that cannot write.

Rows come as bytes, exactly as they are stored, whatever somebody did to them. It is synchronous: run it in a thread
where something else must go on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import sqlcipher3.dbapi2 as sqlcipher

from mcp_wallet.adapters.sqlite.connection import open_readonly
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.reasons import ReasonCode

CHUNK_ROWS: Final = 512
_ROWS: Final = "SELECT sequence, hashes, body FROM event"


class SqliteTrail:
    """`control.audit.trail.Trail` on a ledger's file; see there.

    Args:
        path: The ledger.
        key: 32 bytes, or None for a plaintext ledger.

    Raises:
        OwnerError: `LEDGER_UNAVAILABLE` when there is no ledger or the key does not fit.
    """

    def __init__(self, path: Path, *, key: bytes | None) -> None:
        """Open it; what others append after the first read is not in the snapshot."""
        self._raw = open_readonly(path, key=key)
        self._raw.text_factory = bytes
        with _reading():
            self._raw.execute("BEGIN")

    def size(self) -> int:
        """See `Trail.size`."""
        highest = self._one("SELECT max(sequence) FROM event")[0]
        return 0 if highest is None else int(highest) + 1

    def rows(self, first: int | None = None) -> Iterator[tuple[int, bytes, bytes]]:
        """See `Trail.rows`."""
        where, values = ("", ()) if first is None else (" WHERE sequence >= ?", (first,))
        return self._many(f"{_ROWS}{where} ORDER BY sequence", values)

    def row(self, sequence: int) -> tuple[int, bytes, bytes] | None:
        """See `Trail.row`."""
        found: tuple[int, bytes, bytes] | None = self._one(f"{_ROWS} WHERE sequence = ?", sequence)
        return found

    def payment_rows(self, payment_id: str) -> Iterator[tuple[int, bytes, bytes]]:
        """See `Trail.payment_rows`: from the decision on, as the payment's row knows it, else from the start."""
        known = self._one("SELECT id FROM payment WHERE payment_id = ?", payment_id)
        values = (known[0] if known else 0, payment_id)
        found = self._many(f"{_ROWS} WHERE sequence >= ? AND instr(body, ?) > 0 ORDER BY sequence", values)
        return (row for row in found if _names(row[2], payment_id))

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """See `Trail.checkpoints`."""
        found = self._many("SELECT size, note FROM checkpoint ORDER BY size", ())
        return ((size, note.decode("utf-8", "replace")) for size, note in found)

    def policy_text(self, digest: str) -> str | None:
        """See `Trail.policy_text`."""
        return self._document("SELECT document FROM policy_version WHERE hash = ?", digest)

    def policy_list(self, root: str) -> bytes | None:
        """See `Trail.policy_list`."""
        found = self._one("SELECT addresses FROM policy_list WHERE root = ?", root)
        return None if found is None else bytes(found[0])

    def settings_text(self, digest: str) -> str | None:
        """See `Trail.settings_text`."""
        return self._document("SELECT document FROM settings_version WHERE hash = ?", digest)

    def signed_bytes(self, payment_id: str) -> bytes:
        """See `Trail.signed_bytes`."""
        found = self._one("SELECT signed FROM payment WHERE payment_id = ?", payment_id)
        return b"" if found is None or found[0] is None else bytes(found[0])

    def close(self) -> None:
        """See `Trail.close`."""
        self._raw.close()

    def _document(self, statement: str, digest: str) -> str | None:
        found = self._one(statement, digest)
        return None if found is None else str(found[0].decode("utf-8", "replace"))

    def _one(self, statement: str, *values: object) -> Any:
        with _reading():
            return self._raw.execute(statement, values).fetchone()

    def _many(self, statement: str, values: tuple[object, ...]) -> Iterator[Any]:
        with _reading():
            cursor = self._raw.execute(statement, values)
        while True:
            with _reading():
                chunk = cursor.fetchmany(CHUNK_ROWS)
            if not chunk:
                return
            yield from chunk


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except sqlcipher.OperationalError as error:
        raise OutsideError(ReasonCode.LEDGER_UNAVAILABLE, "The ledger did not answer: try again.") from error
    except sqlcipher.DatabaseError as error:
        sentence = "The ledger's file is damaged: its pages do not hold what was written."
        raise OutsideError(ReasonCode.LEDGER_UNAVAILABLE, sentence, retryable=False) from error


def _names(body: bytes, payment_id: str) -> bool:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(event, dict) and event.get("paymentId") == payment_id
