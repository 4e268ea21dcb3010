"""Somebody with the file, the sqlite3 tool, and in the end even the log's key: is every change found, and named?"""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_wallet.control.audit.verify import VerifyReport
from mcp_wallet.core.canonical import canonical_bytes
from mcp_wallet.core.merkle import Frontier, leaf_hash
from mcp_wallet.ports import Head
from tests.trails import LOG_KEY, Lived, lived, notary

EVENTS = 36
"""As `lived` makes them: a paid decision is event 19, checkpoints stand at 24, 31 and 36."""
PAID = 19
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
Bodies = list[bytes]


@pytest.fixture
async def victim(tmp_path: Path) -> Lived:
    return await lived(tmp_path)


@contextmanager
def opened(victim: Lived) -> Iterator[sqlite3.Connection]:
    """The ledger's file as the sqlite3 tool has it, the triggers dropped."""
    with closing(sqlite3.connect(victim.path)) as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        yield raw
        raw.commit()


def bodies_of(raw: sqlite3.Connection) -> Bodies:
    return [text.encode() for (text,) in raw.execute("SELECT body FROM event ORDER BY sequence").fetchall()]


def rewrite(raw: sqlite3.Connection, bodies: Bodies) -> list[bytes]:
    """Put these events in place of all others, every hash recomputed; return the root after each."""
    raw.execute("DELETE FROM event")
    frontier, roots = Frontier.empty(), []
    for sequence, body in enumerate(bodies):
        hashes = frontier.append(leaf_hash(body))
        raw.execute("INSERT INTO event (sequence, hashes, body) VALUES (?, ?, ?)", (sequence, hashes, body.decode()))
        roots.append(frontier.root())
    return roots


def changed(body: bytes, **fields: object) -> bytes:
    return canonical_bytes(json.loads(body) | fields)


def renumbered(bodies: Bodies) -> Bodies:
    return [changed(body, sequence=sequence) for sequence, body in enumerate(bodies)]


def kinds(report: VerifyReport) -> set[str]:
    return set(report.findings.counts)


def anchors(report: VerifyReport, kind: str) -> set[str]:
    return {finding.anchor for finding in report.findings.shown if finding.kind == kind}


async def test_the_ledger_that_the_attacks_begin_with_is_whole(victim: Lived):
    with opened(victim) as raw:
        assert len(bodies_of(raw)) == EVENTS
        assert json.loads(bodies_of(raw)[PAID])["paymentId"] == victim.paid
    assert (await victim.verify()).ok


# ----------------------------------------------------------------------------------------- rows changed, no hash redone


async def test_an_edited_event_is_named(victim: Lived):
    with opened(victim) as raw:
        raw.execute("UPDATE event SET body = replace(body, '50.00', '10.00') WHERE sequence = ?", (PAID,))
    report = await victim.verify()
    assert (kinds(report), report.findings.first_bad()) == ({"edited"}, PAID)


async def test_an_edited_event_whose_row_was_hashed_again_is_named(victim: Lived):
    with opened(victim) as raw:
        body = changed(bodies_of(raw)[PAID], decision="DENY")
        hashes = raw.execute("SELECT hashes FROM event WHERE sequence = ?", (PAID,)).fetchone()[0]
        row = (leaf_hash(body) + hashes[32:], body.decode(), PAID)
        raw.execute("UPDATE event SET hashes = ?, body = ? WHERE sequence = ?", row)
    report = await victim.verify()
    assert {"tree", "rewritten"} <= kinds(report)
    assert report.findings.first_bad() == PAID - 1  # the smallest stretch whose stored hash does not fit: 18 to 19


async def test_a_changed_tree_hash_is_named(victim: Lived):
    with opened(victim) as raw:
        hashes = raw.execute("SELECT hashes FROM event WHERE sequence = 23").fetchone()[0]
        raw.execute("UPDATE event SET hashes = ? WHERE sequence = 23", (hashes[:-32] + bytes(32),))
    report = await victim.verify()
    assert (kinds(report), report.findings.first_bad()) == ({"tree"}, 16)


async def test_a_deleted_event_is_named(victim: Lived):
    with opened(victim) as raw:
        raw.execute("DELETE FROM event WHERE sequence = ?", (PAID,))
    report = await victim.verify()
    assert (kinds(report), report.findings.first_bad(), report.root) == ({"missing"}, PAID, None)


async def test_a_deleted_event_whose_gap_was_closed_is_named(victim: Lived):
    with opened(victim) as raw:
        raw.execute("DELETE FROM event WHERE sequence = ?", (PAID,))
        raw.execute("UPDATE event SET sequence = -sequence WHERE sequence > ?", (PAID,))
        raw.execute("UPDATE event SET sequence = -sequence - 1 WHERE sequence < 0")
    report = await victim.verify()
    assert {"sequence", "tree", "truncated"} <= kinds(report)
    assert report.findings.first_bad() == PAID


async def test_two_swapped_events_are_named(victim: Lived):
    with opened(victim) as raw:
        bodies = bodies_of(raw)
        for sequence, other in ((PAID, 29), (29, PAID)):
            raw.execute("UPDATE event SET body = ? WHERE sequence = ?", (bodies[other].decode(), sequence))
    report = await victim.verify()
    assert {"edited", "sequence", "time"} <= kinds(report)
    assert report.findings.first_bad() == PAID


async def test_an_event_put_before_the_first_is_named(victim: Lived):
    with opened(victim) as raw:
        body = changed(bodies_of(raw)[0], sequence=-1)
        raw.execute("INSERT INTO event VALUES (-1, ?, ?)", (leaf_hash(body), body.decode()))
    report = await victim.verify()
    assert "inserted" in kinds(report)
    assert report.findings.first_bad() == -1


async def test_a_cut_tail_is_found_by_the_anchor_and_by_the_checkpoint_that_was_left(victim: Lived):
    with opened(victim) as raw:
        raw.execute("DELETE FROM event WHERE sequence >= 33")
    report = await victim.verify()
    assert (kinds(report), report.findings.first_bad()) == ({"truncated"}, 33)
    assert anchors(report, "truncated") == {"file", "ledger"}


async def test_a_cut_tail_without_its_checkpoints_is_found_by_the_anchor(victim: Lived):
    with opened(victim) as raw:
        raw.execute("DELETE FROM event WHERE sequence >= 20")
        raw.execute("DELETE FROM checkpoint")
    report = await victim.verify()
    assert (report.findings.first_bad(), anchors(report, "truncated")) == (20, {"file"})


# ------------------------------------------------------------------------------------------------ all hashes made again


async def test_an_edit_with_every_hash_made_again_is_found_by_each_checkpoint(victim: Lived):
    with opened(victim) as raw:
        bodies = bodies_of(raw)
        rewrite(raw, [*bodies[:PAID], changed(bodies[PAID], decision="DENY"), *bodies[PAID + 1 :]])
    report = await victim.verify()
    assert (kinds(report), anchors(report, "rewritten")) == ({"rewritten"}, {"ledger", "file"})
    first = report.findings.shown[0]
    assert (first.sequence, first.last, report.findings.first_bad()) == (0, 23, 0)


async def test_an_edit_between_two_checkpoints_is_placed_between_them(victim: Lived):
    with opened(victim) as raw:
        bodies = bodies_of(raw)
        rewrite(raw, [*bodies[:28], changed(bodies[28], feeWei="1"), *bodies[29:]])
    report = await victim.verify()
    assert kinds(report) == {"rewritten"}
    assert (report.findings.first_bad(), report.findings.shown[0].last, report.covered) == (24, 30, 24)


async def test_an_event_taken_out_with_everything_made_again_is_found(victim: Lived):
    with opened(victim) as raw:
        bodies = bodies_of(raw)
        rewrite(raw, renumbered([*bodies[:PAID], *bodies[PAID + 1 :]]))
    report = await victim.verify()
    assert kinds(report) == {"rewritten", "truncated"}
    assert anchors(report, "rewritten") == anchors(report, "truncated") == {"ledger", "file"}


async def test_an_event_slipped_in_with_everything_made_again_is_found(victim: Lived):
    with opened(victim) as raw:
        bodies = bodies_of(raw)
        forged = changed(bodies[PAID], eventId="evt_" + "f" * 32, paymentId="pay_" + "f" * 32)
        rewrite(raw, renumbered([*bodies[: PAID + 1], forged, *bodies[PAID + 1 :]]))
    report = await victim.verify()
    assert (kinds(report), anchors(report, "rewritten")) == ({"rewritten"}, {"ledger", "file"})


async def test_a_text_that_is_not_canonical_is_named_even_where_no_checkpoint_is(victim: Lived):
    with opened(victim) as raw:
        raw.execute("DELETE FROM checkpoint")
        bodies = bodies_of(raw)
        rewrite(raw, [*bodies[:PAID], bodies[PAID].replace(b'"1"', b'"\\u0031"', 1), *bodies[PAID + 1 :]])
    victim.anchor.unlink()
    report = await victim.verify()
    assert kinds(report) == {"malformed", "no_checkpoint"}
    assert report.findings.first_bad() == PAID


async def test_a_rewrite_with_a_strangers_key_is_found_in_the_ledger_itself(victim: Lived):
    with opened(victim) as raw:
        bodies = bodies_of(raw)
        roots = rewrite(
            raw, [changed(body, decision="DENY") if "decision" in json.loads(body) else body for body in bodies]
        )
        resign(raw, roots, STRANGER)
    report = await victim.verify()
    assert {"checkpoint", "rewritten"} == kinds(report)
    assert (anchors(report, "checkpoint"), anchors(report, "rewritten")) == ({"ledger"}, {"file"})


async def test_a_rewrite_with_the_logs_own_key_is_found_by_the_anchor(victim: Lived):
    with opened(victim) as raw:
        bodies = bodies_of(raw)
        resign(raw, rewrite(raw, [changed(body, orgId="org_other") for body in bodies]), LOG_KEY)
    report = await victim.verify()
    assert (kinds(report), anchors(report, "rewritten")) == ({"rewritten"}, {"file"})


def resign(raw: sqlite3.Connection, roots: list[bytes], key: Ed25519PrivateKey) -> None:
    """Sign every stored checkpoint again, over other roots."""
    for (size,) in raw.execute("SELECT size FROM checkpoint").fetchall():
        note = notary(key).note(Head(size=size, root=roots[size - 1]))
        raw.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (note, size))


# --------------------------------------------------------------------------------------------------- files put in place


async def test_an_older_copy_put_in_place_is_found_by_the_anchor(tmp_path: Path, victim: Lived):
    with opened(victim) as raw:
        raw.execute("DELETE FROM event WHERE sequence >= 24")
        raw.execute("DELETE FROM checkpoint WHERE size > 24")
    report = await victim.verify()
    assert (kinds(report), report.findings.first_bad()) == ({"truncated"}, 24)
    assert "older copy" in report.findings.shown[0].message
    assert "the anchor `file`" in report.findings.shown[0].message


async def test_a_lost_anchor_file_is_found(victim: Lived):
    victim.anchor.unlink()
    report = await victim.verify()
    assert (kinds(report), anchors(report, "anchor_missing")) == ({"anchor_missing"}, {"file"})


async def test_another_homes_ledger_put_in_place_is_found(tmp_path: Path, victim: Lived):
    folder = tmp_path / "other"
    folder.mkdir()
    other = await lived(folder)
    shutil.copy(other.path, victim.path)
    report = await victim.verify()
    assert (kinds(report), anchors(report, "rewritten")) == ({"rewritten"}, {"file"})


async def test_a_ledger_whose_pages_are_damaged_is_a_finding_and_no_crash(victim: Lived):
    with closing(sqlite3.connect(victim.path)) as raw:
        (page,) = raw.execute("PRAGMA page_size").fetchone()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(victim.path.read_bytes())
    for start in range(page, len(content), page):
        content[start : start + 64] = b"\xff" * 64
    victim.path.write_bytes(content)
    report = await victim.verify()
    assert not report.ok
    assert (kinds(report), report.root) == ({"damaged"}, None)
