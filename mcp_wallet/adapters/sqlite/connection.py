"""One connection to the ledger's file: the right engine, the right durability, nothing that can rewrite the past.

SQLCipher's SQLite is used for plaintext homes too: the interpreter's own may carry the WAL-reset bug (before 3.51.3).
`synchronous=EXTRA` is set before WAL, or the rollback journal of the creation can come back after a power loss.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import sqlcipher3.dbapi2 as sqlcipher

from mcp_wallet.adapters.sqlite.schema import APPLICATION_ID, MIGRATIONS, VERSION
from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.reasons import ReasonCode

Raw: TypeAlias = sqlite3.Connection
"""SQLCipher's connection has the interface of the standard library's and brings no types of its own."""
BUSY_MS: Final = 10_000
_APPEND_ONLY: Final = frozenset({"event", "checkpoint"})
_REFUSED_ACTIONS: Final = frozenset(
    {
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TEMP_TRIGGER,
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
    }
)
_REFUSED_PRAGMAS: Final = frozenset(
    {"writable_schema", "recursive_triggers", "ignore_check_constraints", "synchronous", "journal_mode", "user_version"}
)


def open_raw(path: Path, *, key: bytes | None, create: bool) -> Raw:
    """Return a connection that can append and never rewrite; opening never creates unless told to.

    Raises:
        OwnerError: `LEDGER_UNAVAILABLE` when the file is missing, exists already, is no ledger, or the key is wrong.
    """
    if create == path.exists():
        raise OwnerError(
            ReasonCode.LEDGER_UNAVAILABLE,
            "A ledger already stands here: choose another home."
            if create
            else "There is no ledger in this home: run `mcp-wallet init`.",
        )
    raw = cast("Raw", sqlcipher.connect(str(path), isolation_level=None, cached_statements=256))
    try:
        _configure(raw, key)
        if create:
            _migrate(raw, 0)
            path.chmod(0o600)
        _check(raw)
    except sqlcipher.DatabaseError as error:
        raw.close()
        raise OwnerError(
            ReasonCode.LEDGER_UNAVAILABLE, "The ledger cannot be read: the database key does not fit this file."
        ) from error
    except BaseException:
        raw.close()
        raise
    raw.set_authorizer(_authorize)
    return raw


def open_readonly(path: Path, *, key: bytes | None) -> Raw:
    """Return a connection that cannot write, for verification while servers run; errors as `open_raw`."""
    if not path.exists():
        raise OwnerError(ReasonCode.LEDGER_UNAVAILABLE, "There is no ledger in this home: run `mcp-wallet init`.")
    raw = cast("Raw", sqlcipher.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None))
    try:
        _unlock(raw, key)
        raw.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        raw.execute("PRAGMA query_only=ON")
        _check(raw)
    except sqlcipher.DatabaseError as error:
        raw.close()
        raise OwnerError(
            ReasonCode.LEDGER_UNAVAILABLE, "The ledger cannot be read: the database key does not fit this file."
        ) from error
    return raw


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what the engine raises into `OutsideError`: disk full, locked, broken."""
    try:
        yield
    except sqlcipher.OperationalError as error:
        if "full" in str(error):
            raise OutsideError(ReasonCode.DISK_FULL, "The disk is full: nothing was decided or spent.") from error
        raise OutsideError(ReasonCode.LEDGER_UNAVAILABLE, "The ledger did not answer: nothing new was paid.") from error
    except sqlcipher.DatabaseError as error:
        raise OutsideError(
            ReasonCode.LEDGER_UNAVAILABLE, "The ledger refused the change: nothing new was paid.", retryable=False
        ) from error


def _configure(raw: Raw, key: bytes | None) -> None:
    _unlock(raw, key)
    for pragma in (
        f"busy_timeout={BUSY_MS}",
        "synchronous=EXTRA",
        "journal_mode=WAL",
        "recursive_triggers=ON",
        "trusted_schema=OFF",
        "temp_store=MEMORY",
        "cache_size=-16000",
        "wal_autocheckpoint=1000",
    ):
        raw.execute(f"PRAGMA {pragma}").fetchall()


def _unlock(raw: Raw, key: bytes | None) -> None:
    if key is not None:
        raw.execute(f"PRAGMA key=\"x'{key.hex()}'\"")


def _migrate(raw: Raw, version: int) -> None:
    raw.execute("BEGIN IMMEDIATE")
    for number in range(version, VERSION):
        for statement in _statements(MIGRATIONS[number]):
            raw.execute(statement)
    raw.execute(f"PRAGMA application_id={APPLICATION_ID}")
    raw.execute(f"PRAGMA user_version={VERSION}")
    raw.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script; `executescript` would commit between them."""
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _check(raw: Raw) -> None:
    found = (raw.execute("PRAGMA application_id").fetchone()[0], raw.execute("PRAGMA user_version").fetchone()[0])
    if found != (APPLICATION_ID, VERSION):
        raise OwnerError(
            ReasonCode.LEDGER_UNAVAILABLE,
            f"This file is not a ledger of version {VERSION}: use the mcp-wallet that made it.",
        )


def _authorize(action: int, first: Any, second: Any, _database: Any, _trigger: Any) -> int:
    if action in _REFUSED_ACTIONS:
        return sqlite3.SQLITE_DENY
    if action in (sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE) and (
        first in _APPEND_ONLY or str(first).startswith("sqlite_")
    ):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and second is not None and str(first).lower() in _REFUSED_PRAGMAS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
