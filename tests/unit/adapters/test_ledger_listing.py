"""A decision is one event; its row in the table of payments comes later, and nobody can tell."""

from dataclasses import replace

import pytest

from mcp_wallet.adapters.sqlite.committer import _on_thread, raw_of
from mcp_wallet.adapters.sqlite.unlisted import LIST_AFTER
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.intent import PaymentDraft, parse_request
from mcp_wallet.core.lifecycle import State
from mcp_wallet.ports import Approved, Replayed
from tests.trails import FACTS
from tests.worlds import OPERATOR, REFUND_POLICY, LedgerWorld, ledger_world, policy_document, reopen


@pytest.fixture
async def world(tmp_path):
    made = await ledger_world(tmp_path / "ledger.db")
    yield made
    await made.ledger.close()


def draft(world: LedgerWorld, reference: str = "", **request) -> PaymentDraft:
    asked = world.request(reference, **request)
    return parse_request(asked, agent=world.agent, registry=world.registry, book=world.book)


async def decide(world: LedgerWorld, reference: str, **request):
    return await world.ledger.decide_and_reserve(draft(world, reference, **request), FACTS)


async def rows(world: LedgerWorld) -> int:
    """How many payments the table has, without asking the ledger, which would list."""
    committer = world.ledger._committer
    count = raw_of(committer).execute
    found = await _on_thread(committer._connection, lambda: count("SELECT count(*) FROM payment").fetchone())
    return int(found[0])


async def test_a_decision_is_listed_when_somebody_looks(world):
    decided = await decide(world, "r-1")
    assert await rows(world) == 0
    found = await world.ledger.payment(agent_id=world.agent.agent_id, reference="r-1")
    assert found == decided.record
    assert await rows(world) == 1


async def test_enough_decisions_are_listed_without_being_asked_for(world):
    for number in range(LIST_AFTER):
        await decide(world, f"r-{number}", amount="0.01")
    assert await rows(world) == LIST_AFTER


async def test_what_is_not_listed_is_not_paid_again(world):
    first = await decide(world, "r-1")
    preview = await world.ledger.preview(draft(world, "r-1"))
    assert isinstance(preview, Replayed)
    assert preview.record == first.record


async def test_a_new_life_knows_what_the_old_one_had_not_listed(world):
    held = await decide(world, "r-1", amount="10.00")
    denied = await decide(world, "r-2", to="mallory")
    asked = await decide(world, "r-3", amount="600.00")
    again = replace(world, ledger=await reopen(world))
    try:
        assert await rows(again) == 0
        (line, *_), _ = await again.ledger.budget(again.agent, again.policy)
        assert line.held_units == 610_000_000
        replayed = await decide(again, "r-1", amount="10.00")
        assert isinstance(replayed, Replayed)
        assert replayed.record == held.record
        for known in (held, denied, asked):
            payment_id = known.record.payment_id
            assert await again.ledger.payment(agent_id="", payment_id=payment_id) == known.record
        assert [p.state for p in await again.ledger.in_flight()] == [State.RESERVED]
    finally:
        await again.ledger.close()


async def test_two_processes_list_each_others_decisions_once(world):
    other = replace(world, ledger=await reopen(world))
    try:
        for number in range(3):
            await decide(world, f"mine-{number}")
            await decide(other, f"yours-{number}")
        assert len(await other.ledger.payments(agent_id="")) == 6  # lists; appends no event
        assert len(await world.ledger.payments(agent_id="")) == 6
        assert isinstance(await decide(world, "yours-1"), Replayed)
        await decide(world, "mine-3")
        assert isinstance(await decide(other, "mine-3"), Replayed)
        assert await rows(world) == 7
    finally:
        await other.ledger.close()


async def test_a_failed_listing_decides_nothing(world):
    await decide(world, "r-1")
    state = world.ledger._state
    state.unlisted.add(*state.unlisted._decided[0])  # the same row twice: the engine refuses the second
    with pytest.raises(OutsideError):
        await world.ledger.payments(agent_id="")
    assert len(await world.ledger.payments(agent_id="")) == 1
    assert isinstance(await decide(world, "r-2"), Approved)


async def test_a_policy_with_a_longer_memory_goes_on_from_the_same_head(world):
    settings = await world.ledger.settings()
    before = await decide(world, "r-1")
    text = REFUND_POLICY.replace("24h", "4w")
    await world.ledger.activate_policy("refunds", policy_document(text, settings), actor=OPERATOR)
    size = (await world.ledger.head()).size
    assert size == before.record.decision_sequence + 2
