"""A long list is stored once, opened without hashing, decides as before, and cannot be exchanged in the file."""

import json
import runpy
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import sqlcipher3.dbapi2 as sqlcipher

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.control.audit.replay import replay_trail
from mcp_wallet.core.address_set import INLINE_MAX, AddressSet, ListCommitment
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.document import as_mapping
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.policy import load_policy
from mcp_wallet.core.policy_commitment import policy_hash
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.resolve import resolve_policy
from mcp_wallet.ports import Approved, Denied
from tests.approved import KEY
from tests.trails import decide
from tests.worlds import ALICE, OPERATOR, LedgerWorld, ledger_world, reopen, settings

POLICY = """
version: 1
id: refunds
lists: {known: {file: known.txt}}
rules:
  - id: pay
    effect: allow
    match: {assets: [usdc], recipients: {list: known}}
    perTransaction: {max: "10.00"}
"""
KNOWN = [f"0x{Random(7).getrandbits(160) + i:040x}" for i in range(INLINE_MAX + 44)]
LISTED = KNOWN[5]


def document(listed: list[str]) -> dict[str, Json]:
    active = settings()
    policy = load_policy(POLICY, name="p.yaml", registry=active.registry, book=active.book)
    return resolve_policy(policy, registry=active.registry, book=active.book, read_list=lambda _: "\n".join(listed))


@pytest.fixture
async def world(tmp_path: Path) -> LedgerWorld:
    found = await ledger_world(tmp_path / "ledger.db", sender=KEY.address)
    await found.ledger.activate_policy("refunds", document(KNOWN), actor=OPERATOR)
    return found


def exchanged(world: LedgerWorld, listed: list[str]) -> None:
    """Put other addresses under the list's root, as somebody with the file but without the keys could."""
    raw = sqlcipher.connect(str(world.path))
    raw.execute("UPDATE policy_list SET addresses = ?", (AddressSet.of(listed).packed,))
    raw.commit()
    raw.close()


def test_an_auditor_without_our_code_finds_the_same_hash():
    verifier = runpy.run_path(str(Path(__file__).parents[3] / "examples" / "verify_trail.py"))
    packed = document(KNOWN)
    assert verifier["policy_hash"](json.loads(canonical_bytes(packed))) == policy_hash(packed)
    assert verifier["policy_hash"]({**packed, "lists": {"known": sorted(KNOWN)}}) == policy_hash(packed)


def test_a_long_list_has_the_hash_that_it_has_written_out():
    packed = document(KNOWN)
    assert isinstance(as_mapping(packed["lists"])["known"], ListCommitment)
    assert policy_hash(packed) == policy_hash({**packed, "lists": {"known": [*sorted(KNOWN)]}})


async def test_it_decides_before_and_after_a_restart(world: LedgerWorld):
    assert isinstance(await decide(world, "r-1", to=LISTED), Approved)
    await world.ledger.close()
    again = replace(world, ledger=await reopen(world))
    assert isinstance(await decide(again, "r-2", to=LISTED), Approved)
    denied = await decide(again, "r-3", to=ALICE)
    assert isinstance(denied, Denied)
    assert ReasonCode.RECIPIENT_NOT_ALLOWED in {r.code for r in denied.record.reasons}
    await again.ledger.close()


async def test_its_text_holds_the_commitment_and_replay_reads_the_list_again(world: LedgerWorld):
    await decide(world, "r-1", to=LISTED)
    await world.ledger.close()
    trail = SqliteTrail(world.path, key=None)
    text = trail.policy_text(policy_hash(document(KNOWN)))
    report = replay_trail(trail)
    trail.close()
    assert text is not None
    assert LISTED not in text
    assert (report.ok, report.decisions) == (True, 1)


async def test_an_exchanged_list_decides_nothing_and_replays_nothing(world: LedgerWorld):
    await decide(world, "r-1", to=LISTED)
    await world.ledger.close()
    exchanged(world, [*KNOWN, ALICE])
    again = await reopen(world)
    with pytest.raises(OwnerError, match="not the one that was approved"):
        await decide(replace(world, ledger=again), "r-2", to=ALICE)
    await again.close()
    trail = SqliteTrail(world.path, key=None)
    assert replay_trail(trail).not_replayable == 1
    trail.close()


async def test_a_list_without_a_right_seal_is_hashed_before_it_decides(world: LedgerWorld):
    await world.ledger.close()
    raw = sqlcipher.connect(str(world.path))
    raw.execute("UPDATE policy_list SET seal = ?", (bytes(32),))
    raw.commit()
    raw.close()
    again = replace(world, ledger=await reopen(world))
    assert isinstance(await decide(again, "r-1", to=LISTED), Approved)
    await again.ledger.close()


async def test_a_missing_list_decides_nothing(world: LedgerWorld):
    await world.ledger.close()
    raw = sqlcipher.connect(str(world.path))
    raw.execute("DELETE FROM policy_list")
    raw.commit()
    raw.close()
    again = await reopen(world)
    with pytest.raises(OwnerError, match="missing"):
        await decide(replace(world, ledger=again), "r-1", to=LISTED)
    await again.close()
