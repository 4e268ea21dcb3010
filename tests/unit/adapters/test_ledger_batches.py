"""One commit, many callers: what they share, and what they must not."""

import asyncio
import sqlite3

import aiosqlite
import pytest
import sqlcipher3.dbapi2 as sqlcipher

from mcp_wallet.adapters.sqlite.committer import raw_of
from mcp_wallet.core.errors import CallerError, InvariantBroken
from mcp_wallet.core.intent import PaymentDraft, parse_request
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Approved, Denied, Replayed
from tests.trails import FACTS
from tests.worlds import OPERATOR, LedgerWorld, ledger_world, reopen


@pytest.fixture
async def world(tmp_path):
    made = await ledger_world(tmp_path / "ledger.db")
    yield made
    await made.ledger.close()


def draft(world: LedgerWorld, reference: str = "", **request) -> PaymentDraft:
    asked = world.request(reference, **request)
    return parse_request(asked, agent=world.agent, registry=world.registry, book=world.book)


async def test_two_calls_with_one_reference_in_one_commit_pay_once(world):
    before = world.ledger.commits
    asked = draft(world, "r-1")
    found = await asyncio.gather(*(world.ledger.decide_and_reserve(asked, FACTS) for _ in range(5)))
    assert world.ledger.commits == before + 1
    first, *rest = found
    assert isinstance(first, Approved)
    assert all(isinstance(answer, Replayed) and answer.record == first.record for answer in rest)


async def test_two_calls_with_one_key_in_one_commit_pay_once(world):
    one, other = draft(world, idempotency_key="k"), draft(world, idempotency_key="k", amount="2.00")
    paid, again, refused = await asyncio.gather(*(world.ledger.decide_and_reserve(d, FACTS) for d in (one, one, other)))
    assert isinstance(paid, Approved)
    assert isinstance(again, Replayed)
    assert isinstance(refused, Denied)
    assert refused.record.reasons[0].code is ReasonCode.IDEMPOTENCY_MISMATCH


async def test_an_answer_is_what_the_tables_give_back(world):
    for asked in (draft(world, "ok"), draft(world, "no", to="mallory"), draft(world, "ask", amount="600.00")):
        decided = await world.ledger.decide_and_reserve(asked, FACTS)
        payment_id = decided.record.payment_id
        assert await world.ledger.payment(agent_id=world.agent.agent_id, payment_id=payment_id) == decided.record


async def test_a_payment_id_is_compared_whole(world):
    decided = await world.ledger.decide_and_reserve(draft(world, "r"), FACTS)
    payment_id = decided.record.payment_id
    names = world.ledger._gate.names
    twin = names.payment_id(names.row_of(payment_id))
    assert names.row_of(twin) == decided.record.decision_sequence
    for wrong in (twin, payment_id.upper(), payment_id[4:], payment_id + "0", "pay_", "", "pay_zz"):
        asked = {"payment_id": wrong} if wrong else {"reference": "other"}
        assert await world.ledger.payment(agent_id=world.agent.agent_id, **asked) is None


async def test_a_cancelled_caller_leaves_its_operation_running(world):
    asked = draft(world, "r-1")
    call = asyncio.create_task(world.ledger.decide_and_reserve(asked, FACTS))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()
    again = await world.ledger.decide_and_reserve(asked, FACTS)
    assert isinstance(again, Replayed)
    assert again.record.state is State.RESERVED


async def test_a_refusal_after_a_write_fails_the_whole_batch(world):
    state, size = world.ledger._state, (await world.ledger.head()).size

    def write_and_refuse():
        world.ledger._control.record("service_started", {}, OPERATOR)
        raise CallerError(ReasonCode.INTENT_INVALID, "no")

    found = await asyncio.gather(
        world.ledger.decide_and_reserve(draft(world, "r"), FACTS),
        world.ledger._committer.write(write_and_refuse),
        return_exceptions=True,
    )
    assert all(isinstance(error, InvariantBroken) for error in found)
    assert not state.unwritten.events
    assert (await world.ledger.head()).size == size


async def test_settings_that_changed_meanwhile_refuse_the_draft(world):
    with pytest.raises(CallerError) as caught:
        await world.ledger.decide_and_reserve(draft(world, "r")._replace(settings_hash="sha256:other"), FACTS)
    assert caught.value.code is ReasonCode.POLICY_CHANGED


async def test_a_freeze_reaches_the_other_connections_next_decision(world):
    other = await reopen(world)

    try:
        await other.decide_and_reserve(draft(world, "before"), FACTS)
        await world.ledger.freeze("all", "", reason="drill", actor=OPERATOR)
        decided = await other.decide_and_reserve(draft(world, "after"), FACTS)
    finally:
        await other.close()
    assert [r.code for r in decided.record.reasons] == [ReasonCode.FROZEN]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET body = '{}' WHERE sequence = 0",
        "DELETE FROM event WHERE sequence = 0",
        "INSERT OR REPLACE INTO event SELECT * FROM event WHERE sequence = 0",
        "INSERT INTO event SELECT 1000, hashes, body FROM event WHERE sequence = 0",
        "DROP TRIGGER event_no_update",
        "DROP TABLE event",
        "PRAGMA recursive_triggers=OFF",
        "PRAGMA writable_schema=ON",
        "ATTACH ':memory:' AS x",
    ],
)
async def test_nothing_rewrites_the_past(world, statement: str):
    raw = raw_of(world.ledger._committer)
    connection: aiosqlite.Connection = world.ledger._committer._connection
    with pytest.raises((sqlcipher.DatabaseError, sqlite3.DatabaseError)):
        await connection._execute(lambda: raw.execute(statement).fetchall())


def test_aiosqlites_private_entry_points_exist():
    connection = aiosqlite.Connection(lambda: sqlite3.connect(":memory:"), iter_chunk_size=1)
    assert callable(connection._execute)
    assert hasattr(connection, "_connection") or hasattr(connection, "_conn")
