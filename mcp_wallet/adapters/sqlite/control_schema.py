"""The control plane's tables: people, agents and their keys, proposals, votes, and which version was in force when."""

from typing import Final

CONTROL_TABLES: Final = """
CREATE TABLE settings_version (version INTEGER PRIMARY KEY, hash TEXT NOT NULL, document TEXT NOT NULL) STRICT;
CREATE TABLE policy_version (
    policy_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash TEXT NOT NULL,
    document TEXT NOT NULL,
    active INTEGER NOT NULL,
    PRIMARY KEY (policy_id, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_version_hash ON policy_version (hash);
CREATE TABLE policy_list (root TEXT PRIMARY KEY, addresses BLOB NOT NULL, seal BLOB NOT NULL) STRICT;
CREATE TABLE policy_activation (
    sequence INTEGER PRIMARY KEY,
    policy_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE agent (
    agent_id TEXT PRIMARY KEY,
    policy_id TEXT NOT NULL,
    category TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    disabled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE credential (
    key_id TEXT PRIMARY KEY,
    agent_id TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    issued_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE operator (
    name TEXT PRIMARY KEY,
    roles TEXT NOT NULL,
    token_id TEXT NOT NULL UNIQUE,
    token_hash TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    founder INTEGER NOT NULL,
    disabled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE freeze (
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE change (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash TEXT NOT NULL,
    base_hash TEXT NOT NULL,
    classification TEXT NOT NULL,
    state TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    proposed_at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    body TEXT NOT NULL,
    checks TEXT NOT NULL
) STRICT;
CREATE INDEX change_subject ON change (kind, subject, version);
CREATE TABLE vote (
    subject INTEGER NOT NULL,
    person TEXT NOT NULL,
    approves INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (subject, person)
) STRICT, WITHOUT ROWID;
"""
"""`change.sequence` and `vote.subject` are sequences of events: a change's proposal, a payment's decision.
`vote.sequence` is that of the vote itself."""
