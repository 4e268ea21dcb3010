"""The ledger's tables, version 1. A later version is a further numbered migration; event rows are never altered.

Amounts and fees are decimal text: SQLite integers end at 2^63. Addresses are their 20 bytes. `event.hashes` holds the
RFC 6962 node hashes of every complete subtree that ends at that leaf (see `core/merkle.py`), so the tree needs no table
of its own. A payment is one row that also carries its guards, its approval and its bytes: few b-trees, few pages per
commit. Its id is the sequence of the event that decided it, which says everything else about the decision; payments are
found by that id (ADR 10), and rows are written after the decision, many at once (ADR 14). `open_payment` lists the rows
whose budget is held; a partial index would be written at every step of a payment, not at its two ends. A payment
that people approved was decided again: `decided_by` is that event.
"""

from typing import Final

from mcp_wallet.adapters.sqlite.control_schema import CONTROL_TABLES

APPLICATION_ID: Final = 0x6D77_6C74
"""`mwlt`, so that `file` and other tools can name the database."""
VERSION: Final = 1

_LEDGER_TABLES: Final = """
CREATE TABLE event (
    sequence INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL CHECK (length(hashes) >= 32 AND length(hashes) % 32 = 0),
    body TEXT NOT NULL CHECK (length(CAST(body AS BLOB)) <= 32768)
) STRICT;
CREATE TRIGGER event_gapless BEFORE INSERT ON event
WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), -1) + 1 FROM event)
BEGIN SELECT RAISE(ABORT, 'event sequence must be the next'); END;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'event is append-only'); END;

CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END;
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END;

CREATE TABLE payment (
    id INTEGER PRIMARY KEY CHECK (id > 0),
    payment_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    chain TEXT NOT NULL,
    asset TEXT NOT NULL,
    sender BLOB NOT NULL CHECK (length(sender) = 20),
    recipient BLOB NOT NULL CHECK (length(recipient) = 20),
    category TEXT NOT NULL,
    amount TEXT NOT NULL,
    reference TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    decided_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    freed INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    purpose TEXT,
    gas_limit TEXT,
    max_fee_wei TEXT,
    priority_fee_wei TEXT,
    fee_cap_wei TEXT,
    nonce INTEGER,
    unsigned BLOB,
    signed BLOB,
    transaction_hash TEXT,
    block_number INTEGER,
    fee_wei TEXT,
    settled_at_ms INTEGER,
    ended_by TEXT,
    decided_by INTEGER
) STRICT;
CREATE UNIQUE INDEX payment_reference ON payment (reference, recipient, freed) WHERE reference <> '';
CREATE UNIQUE INDEX payment_key ON payment (idempotency_key, agent_id, freed) WHERE idempotency_key <> '';
CREATE UNIQUE INDEX payment_nonce ON payment (chain, sender, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX payment_settled ON payment (settled_at_ms) WHERE settled_at_ms IS NOT NULL;
CREATE TABLE open_payment (id INTEGER PRIMARY KEY) STRICT;
CREATE TABLE attempt (
    payment INTEGER NOT NULL,
    number INTEGER NOT NULL,
    unsigned BLOB NOT NULL,
    signed BLOB,
    transaction_hash TEXT,
    PRIMARY KEY (payment, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE watched (
    chain TEXT PRIMARY KEY,
    block INTEGER NOT NULL,
    nonce INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    quiet_block INTEGER NOT NULL,
    quiet_wei TEXT NOT NULL,
    quiet_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
MIGRATIONS: Final[tuple[str, ...]] = (_LEDGER_TABLES + CONTROL_TABLES,)
