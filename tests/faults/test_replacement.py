"""What no block takes is offered again for more, under one nonce; whichever is mined, it is one payment."""

import pytest

from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.transaction import decode_signed
from mcp_wallet.ports import Chains
from tests.fakechain import FakeChain, FakeSigner
from tests.faults.test_evidence import DOLLAR, held_and_spent, reserve, settlement_of
from tests.worlds import ALICE, LOCAL, OPERATOR, ledger_world, reopen


@pytest.mark.parametrize("mined", ["newest", "first"])
async def test_a_payment_that_no_block_takes_is_offered_again_for_an_eighth_more_and_paid_once(tmp_path, mined):
    signer, chain = FakeSigner(), FakeChain(least_fee_wei=2_400_000_000, takes_first=mined == "first")
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    record = await reserve(world)
    settled = await settlement_of(world, chain, signer).drive(record)
    assert settled is not None

    sent = [decode_signed(raw).unsigned for raw in dict.fromkeys(chain.raws)]
    assert [s.max_fee_wei for s in sent] == [2_000_000_000, 2_250_000_000, 2_531_250_000]
    assert len({(s.nonce, s.to, s.data) for s in sent}) == 1
    assert chain.balances == {ALICE: DOLLAR}
    assert await held_and_spent(world) == (0, DOLLAR)
    found = await world.ledger.payment(agent_id="", payment_id=record.payment_id)
    assert found is not None
    assert found.transaction_hash in chain.mined
    assert decode_signed(found.signed).hash == found.transaction_hash
    await world.ledger.close()


async def test_no_fee_is_raised_beyond_the_cap_or_under_a_freeze(tmp_path):
    signer, chain = FakeSigner(), FakeChain(least_fee_wei=10**18)
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    record = await reserve(world)
    settlement = settlement_of(world, chain, signer)
    task = settlement.start(record)
    while len(set(chain.raws)) < 6:
        await world.ledger.head()
    await settlement.stop()
    assert task.done()
    assert await settlement._raise_fee(record.payment_id) is None
    fees = [decode_signed(raw).unsigned for raw in dict.fromkeys(chain.raws)]
    assert record.approval is not None
    assert max(f.fee_max_wei for f in fees) <= record.approval.fee_cap_wei

    await world.ledger.freeze("all", "", reason="test", actor=OPERATOR)
    asked = len(signer.asked)
    assert await settlement._raise_fee(record.payment_id) is None
    assert len(signer.asked) == asked
    await world.ledger.close()


async def test_a_crash_between_seal_and_signature_signs_the_same_replacement_again(tmp_path):
    signer, chain = FakeSigner(), FakeChain(least_fee_wei=10**18)
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    record = await reserve(world)
    settlement = settlement_of(world, chain, signer)
    settlement.start(record)
    while (await world.ledger.payment(agent_id="", payment_id=record.payment_id)).state is not State.BROADCAST:  # type: ignore[union-attr]
        await world.ledger.head()
    await settlement.stop()
    first = await world.ledger.claim_replacement(record.payment_id, settlement.rebuild)
    restarted = await reopen(world)
    again = await restarted.claim_replacement(record.payment_id, settlement.rebuild)
    assert first is not None
    assert again is not None
    assert again.unsigned == first.unsigned
    lines = [(await ledger.budget(world.agent, world.policy))[0][0] for ledger in (world.ledger, restarted)]
    assert lines[0] == lines[1]
    chain.least_fee_wei = 0
    fresh = settlement_of(world, chain, signer)
    fresh.ledger, fresh.chains = restarted, Chains({LOCAL: chain})
    for waiting in await restarted.in_flight():
        await fresh.drive(waiting)
    assert chain.balances == {ALICE: DOLLAR}
    await restarted.close()
    await world.ledger.close()
