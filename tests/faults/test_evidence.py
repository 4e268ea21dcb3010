"""What does not pay is believed only when it is proven; what is proven by nobody waits for a person."""

import itertools
from dataclasses import replace

import pytest

from mcp_wallet.control.resolution import resolve_payment
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.payments.settle import Settlement
from mcp_wallet.ports import Approved, Chains
from tests.approved import KEY
from tests.fakechain import LOST, FakeChain, FakeSigner
from tests.promises import promise
from tests.trails import FACTS, pay
from tests.worlds import LOCAL, OPERATOR, ledger_world, reopen, settings

DOLLAR = 1_000_000
DOUBTING = {
    "nodes": ["http://127.0.0.1:1", "http://127.0.0.1:2"],
    "maxFeeWei": str(10**16),
    "maxFeePerDayWei": str(10**18),
    "trustSingleNode": False,
}


async def doubting_world(tmp_path, signer):
    """Return a home that trusts no single node."""
    return await ledger_world(tmp_path / "ledger.db", sender=signer.address, active=settings({"local": DOUBTING}))


async def reserve(world, reference="r1"):
    draft = parse_request(world.request(reference), agent=world.agent, registry=world.registry, book=world.book)
    decided = await world.ledger.decide_and_reserve(draft, replace(FACTS, account_nonce=0))
    assert isinstance(decided, Approved)
    return decided.record


def settlement_of(world, chain, signer):
    seconds = itertools.count(step=31)
    return Settlement(world.ledger, Chains({LOCAL: chain}), signer, world.settings, lambda: float(next(seconds)))


async def drive_until(world, settlement, record, state):
    """Drive until the ledger says so, then stop as a killed process would."""
    task = settlement.start(record)
    for _ in range(10_000):  # each look is a turn for the others too
        found = await world.ledger.payment(agent_id="", payment_id=record.payment_id)
        if found.state is state:
            await settlement.stop()
            assert task.done()
            return found
    pytest.fail(f"it never is {state}")


async def held_and_spent(world):
    lines, _ = await world.ledger.budget(world.agent, world.policy)
    return lines[0].held_units, lines[0].spent_units


@promise("exactly-once")
async def test_a_revert_that_one_node_reports_frees_nothing_and_a_person_resolves_it(tmp_path):
    signer, chain = FakeSigner(), FakeChain(status=0)
    world = await doubting_world(tmp_path, signer)
    record = await drive_until(world, settlement_of(world, chain, signer), await reserve(world), State.UNKNOWN)
    assert await held_and_spent(world) == (DOLLAR, 0)

    resolved = await resolve_payment(
        world.ledger, record.payment_id, paid=False, reason="seen on the explorer", actor=OPERATOR
    )
    assert (resolved.state, resolved.ended_by) == (State.FAILED, ReasonCode.SETTLEMENT_UNKNOWN)
    assert await held_and_spent(world) == (0, 0)
    again = await reserve(world)
    assert again.payment_id != record.payment_id
    with pytest.raises(CallerError, match="only a payment that is `unknown`"):
        await resolve_payment(world.ledger, record.payment_id, paid=True, reason="again", actor=OPERATOR)
    await world.ledger.close()


async def test_a_person_may_say_that_it_was_paid_and_every_process_counts_it_so(tmp_path):
    signer, chain = FakeSigner(), FakeChain(status=0)
    world = await doubting_world(tmp_path, signer)
    other = await reopen(world)
    record = await drive_until(world, settlement_of(world, chain, signer), await reserve(world), State.UNKNOWN)
    await resolve_payment(world.ledger, record.payment_id, paid=True, reason="the payee says so", actor=OPERATOR)
    for ledger in (other, await reopen(world)):
        (line, *_), _ = await ledger.budget(world.agent, world.policy)
        assert (line.held_units, line.spent_units) == (0, DOLLAR)
        await ledger.close()
    await world.ledger.close()


async def test_a_revert_that_two_nodes_report_gives_budget_and_reference_back(tmp_path):
    signer, chain = FakeSigner(), FakeChain(status=0, nodes=2)
    world = await doubting_world(tmp_path, signer)
    record = await reserve(world)
    assert await settlement_of(world, chain, signer).drive(record) is None
    failed = await world.ledger.payment(agent_id="", payment_id=record.payment_id)
    assert failed is not None
    assert (failed.state, failed.ended_by) == (State.FAILED, ReasonCode.TRANSACTION_REVERTED)
    assert await held_and_spent(world) == (0, 0)
    await world.ledger.close()


async def test_a_nonce_that_others_used_fails_the_payment_and_freezes_the_chain(tmp_path):
    signer, chain = FakeSigner(), FakeChain(nodes=2, foreign=1, sends=[LOST] * 9)
    world = await doubting_world(tmp_path, signer)
    record = await reserve(world)
    assert await settlement_of(world, chain, signer).drive(record) is None
    failed = await world.ledger.payment(agent_id="", payment_id=record.payment_id)
    assert failed is not None
    assert (failed.state, failed.ended_by) == (State.FAILED, ReasonCode.NONCE_MISMATCH)
    assert [(kind, value) for kind, value, _ in await world.ledger.freezes()] == [("chain", LOCAL)]
    await world.ledger.close()


@promise("exactly-once")
async def test_not_found_alone_never_frees(tmp_path):
    signer, chain = FakeSigner(), FakeChain(nodes=2, sends=[LOST] * 1000)
    world = await doubting_world(tmp_path, signer)
    await drive_until(world, settlement_of(world, chain, signer), await reserve(world), State.UNKNOWN)
    assert await held_and_spent(world) == (DOLLAR, 0)
    assert len(set(chain.raws)) == 1
    await world.ledger.close()


async def test_a_confirmed_payment_whose_block_is_gone_is_sent_again_and_counted_once(tmp_path):
    signer, chain = FakeSigner(), FakeChain(final=False)
    world = await doubting_world(tmp_path, signer)
    other = await reopen(world)
    settlement = settlement_of(world, chain, signer)
    record = await reserve(world)
    assert await settlement.drive(record) is not None
    assert await held_and_spent(world) == (0, DOLLAR)

    chain.forget_everything()
    chain.sends = [LOST] * 1000
    confirmed = await world.ledger.confirmed_since(0)
    await settlement.look_again(confirmed)
    (found,) = await world.ledger.payments()
    assert found.state is State.CONFIRMED, "one look that misses proves nothing"
    await settlement.look_again(confirmed)
    settled = settlement.start(record)
    (held,), _ = await other.budget(world.agent, world.policy)
    assert (held.held_units, held.spent_units) == (DOLLAR, 0)
    chain.sends.clear()
    assert await settled is not None
    assert await held_and_spent(world) == (0, DOLLAR)
    fresh = await reopen(world)
    (line,), _ = await fresh.budget(world.agent, world.policy)
    assert (line.held_units, line.spent_units) == (0, DOLLAR)
    assert len(set(chain.raws)) == 1
    for ledger in (other, fresh, world.ledger):
        await ledger.close()


async def test_payments_of_a_development_chain_that_is_gone_are_not_looked_for(tmp_path):
    world = await ledger_world(tmp_path / "ledger.db", sender=KEY.address)
    payment_id = await pay(world, "r-1")
    await world.ledger.watch_anew()
    (confirmed,) = await world.ledger.confirmed_since(0)
    assert (confirmed.payment_id, confirmed.state, confirmed.block_number) == (payment_id, State.CONFIRMED, None)
    assert await world.ledger.watched_block(LOCAL) is None
    await world.ledger.close()
