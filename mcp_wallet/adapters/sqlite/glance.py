"""A look at a ledger that starts no work: what a start-up check needs before anything is served."""

from pathlib import Path

import orjson
import sqlcipher3.dbapi2 as sqlcipher

from mcp_wallet.adapters.sqlite.connection import database_errors, open_readonly
from mcp_wallet.core.settings import Settings, settings_of


def load_active_settings(path: Path, *, key: bytes | None) -> Settings | None:
    """Return the settings in force, None in a ledger that has none; nothing is written and nothing is kept open.

    Args:
        key: The database key, None for a plaintext ledger.

    Raises:
        OwnerError: `LEDGER_UNAVAILABLE` when there is no ledger or the key does not fit.
    """
    raw = open_readonly(path, key=key)
    try:
        with database_errors():
            row = raw.execute("SELECT version, document FROM settings_version ORDER BY version DESC LIMIT 1").fetchone()
    finally:
        raw.close()
    return None if row is None else settings_of(orjson.loads(row[1]), version=str(row[0]))


def engine_version() -> str:
    """Return the version of the SQLite that ledgers run on."""
    version: str = sqlcipher.sqlite_version
    return version
