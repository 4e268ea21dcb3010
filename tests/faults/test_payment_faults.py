"""Every call out of the story fails in both ways: the payment is made once or not at all, and the budget says so."""

import itertools

import pytest

from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.payments.pipeline import Pipeline
from mcp_wallet.payments.settle import Settlement
from mcp_wallet.ports import Approved, Chains
from tests.fakechain import DONE, LOST, FakeChain, FakeSigner
from tests.promises import promise
from tests.worlds import ALICE, LOCAL, ledger_world, reopen

DOLLAR = 1_000_000


def impatient():
    """A monotonic clock in which a quarter of a minute passes between any two looks."""
    seconds = itertools.count(step=16)
    return lambda: float(next(seconds))


def settlement_of(world, chain, signer, *, ledger=None):
    return Settlement(ledger or world.ledger, Chains({LOCAL: chain}), signer, world.settings, impatient())


def draft_of(world, reference="r1", **changes):
    request = world.request(reference, **changes)
    return parse_request(request, agent=world.agent, registry=world.registry, book=world.book)


async def pay(world, chain, signer, reference="r1"):
    settlement = settlement_of(world, chain, signer)
    decided = await Pipeline(world.ledger, Chains({LOCAL: chain}), settlement).pay(
        draft_of(world, reference), world.policy
    )
    assert isinstance(decided, Approved)
    return await world.ledger.payment(agent_id="", payment_id=decided.record.payment_id)


async def spent_and_held(world):
    lines, _ = await world.ledger.budget(world.agent, world.policy)
    return lines[0].spent_units, lines[0].held_units


@promise("exactly-once")
@pytest.mark.parametrize("faults", [[], [LOST], [DONE], [LOST, LOST], [LOST, DONE], [DONE, DONE], [LOST] * 5])
@pytest.mark.parametrize("hidden", [0, 3])
async def test_a_send_that_fails_either_way_is_repeated_with_the_same_bytes_and_paid_once(tmp_path, faults, hidden):
    signer, chain = FakeSigner(), FakeChain(sends=list(faults), hidden=hidden)
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    record = await pay(world, chain, signer)
    assert record.state is State.CONFIRMED
    assert chain.balances == {ALICE: DOLLAR}
    assert len(set(chain.raws)) == 1
    assert await spent_and_held(world) == (DOLLAR, 0)
    await world.ledger.close()


async def test_a_node_that_does_not_answer_before_the_decision_leaves_nothing_reserved(tmp_path):
    signer, chain = FakeSigner(), FakeChain(unreachable=1)
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    with pytest.raises(OutsideError, match="nothing was paid"):
        await pay(world, chain, signer)
    assert await spent_and_held(world) == (0, 0)
    assert (await pay(world, chain, signer)).state is State.CONFIRMED
    await world.ledger.close()


async def test_a_signer_that_fails_leaves_the_payment_signing_and_recovery_signs_the_same_bytes(tmp_path):
    signer, chain = FakeSigner(faults=1), FakeChain()
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    record = await pay(world, chain, signer)
    assert record.state is State.SIGNING
    assert await spent_and_held(world) == (0, DOLLAR)

    restarted = await reopen(world)
    settlement = settlement_of(world, chain, signer, ledger=restarted)
    for waiting in await restarted.in_flight():
        await settlement.drive(waiting)
    settled = await restarted.payment(agent_id="", payment_id=record.payment_id)
    assert settled is not None
    assert settled.state is State.CONFIRMED
    assert len(set(signer.asked)) == 1
    assert chain.balances == {ALICE: DOLLAR}
    await restarted.close()
    await world.ledger.close()


@promise("bytes-are-the-payment")
async def test_a_signer_that_returns_other_bytes_stops_the_wallet_and_nothing_is_sent(tmp_path):
    signer, chain = FakeSigner(), FakeChain()
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    await pay(world, chain, signer)
    forger = FakeSigner(forged=(chain.raws[0],))
    record = await pay(world, chain, forger, "r2")
    assert record.state is State.SIGNING
    assert chain.balances == {ALICE: DOLLAR}
    assert [kind for kind, _, _ in await world.ledger.freezes()] == ["all"]
    await world.ledger.close()


async def test_a_revert_gives_the_budget_back_and_the_reference_may_be_paid_again(tmp_path):
    signer, chain = FakeSigner(), FakeChain(status=0)
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    record = await pay(world, chain, signer)
    assert (record.state, record.ended_by) == (State.FAILED, ReasonCode.TRANSACTION_REVERTED)
    assert await spent_and_held(world) == (0, 0)
    chain.status = 1
    again = await pay(world, chain, signer)
    assert again.state is State.CONFIRMED
    assert again.intent.intent_id != record.intent.intent_id
    await world.ledger.close()


async def test_another_effect_than_was_approved_freezes_the_chain_and_frees_nothing(tmp_path):
    signer, chain = FakeSigner(), FakeChain(thief="0x" + "66" * 20)
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    record = await pay(world, chain, signer)
    assert record.state is State.BROADCAST
    assert await spent_and_held(world) == (0, DOLLAR)
    assert [(kind, value) for kind, value, _ in await world.ledger.freezes()] == [("chain", LOCAL)]
    await world.ledger.close()
