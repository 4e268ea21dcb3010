"""What a crash, a freeze or a restored file leaves behind, and what comes of it."""

import shutil

import pytest

from mcp_wallet.core.building import build_payment
from mcp_wallet.core.decision import Facts
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.intent import PaymentRequest, parse_request
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.signing_gate import GateRefusal
from mcp_wallet.payments.settle import Settlement
from mcp_wallet.ports import Approved, Chains
from mcp_wallet.wiring.opening import open_wallet
from mcp_wallet.wiring.playground import make_playground
from tests.fakechain import FakeChain, FakeSigner
from tests.promises import promise
from tests.worlds import ALICE, LOCAL, OPERATOR, SteppedClock, ledger_world, reopen

FACTS = Facts(source="fake", account_nonce=0, gas_limit=65_000, max_fee_wei=10**9, priority_fee_wei=10**9)


async def reserved(world, reference="r1"):
    draft = parse_request(world.request(reference), agent=world.agent, registry=world.registry, book=world.book)
    decided = await world.ledger.decide_and_reserve(draft, FACTS)
    assert isinstance(decided, Approved)
    return decided.record


async def test_a_crash_after_the_reservation_is_paid_by_whoever_finds_it(tmp_path):
    signer, chain = FakeSigner(), FakeChain()
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    await reserved(world)
    await world.ledger.close()

    found = await reopen(world)
    settlement = Settlement(found, Chains({LOCAL: chain}), signer, world.settings, lambda: 0.0)
    for record in await found.in_flight():
        await settlement.drive(record)
    assert chain.balances == {ALICE: 1_000_000}
    await found.close()


async def test_a_reservation_that_nobody_claimed_expires_and_frees_budget_and_reference(tmp_path):
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", clock=clock)
    first = await reserved(world)
    clock.advance(60_001)
    assert await world.ledger.expire_overdue() == 1
    expired = await world.ledger.payment(agent_id="", payment_id=first.payment_id)
    assert expired is not None
    assert (expired.state, expired.ended_by) == (State.EXPIRED, ReasonCode.APPROVAL_TOKEN_EXPIRED)
    lines, _ = await world.ledger.budget(world.agent, world.policy)
    assert lines[0].held_units == 0
    again = await reserved(world)
    assert again.intent.intent_id != first.intent.intent_id
    await world.ledger.close()


@promise("kill-switch")
async def test_a_freeze_between_reservation_and_claim_releases_it_unsigned(tmp_path):
    world = await ledger_world(tmp_path / "ledger.db")
    record = await reserved(world)
    other = await reopen(world)
    await other.freeze("agent", "refund-processor", reason="test", actor=OPERATOR)
    refusal = await world.ledger.claim(record.payment_id, build_payment)
    assert isinstance(refusal, GateRefusal)
    assert refusal.code is ReasonCode.FROZEN
    assert await other.claim(record.payment_id, build_payment) is None, "a released approval cannot be used again"
    await other.close()
    await world.ledger.close()


@promise("kill-switch")
async def test_recovery_does_not_ask_the_signer_while_a_freeze_covers_the_payment(tmp_path):
    signer, chain = FakeSigner(), FakeChain()
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    record = await reserved(world)
    assert await world.ledger.claim(record.payment_id, build_payment) is not None
    await world.ledger.freeze("all", "", reason="test", actor=OPERATOR)
    settlement = Settlement(world.ledger, Chains({LOCAL: chain}), signer, world.settings, lambda: 0.0)
    (waiting,) = await world.ledger.in_flight()
    assert await settlement.drive(waiting) is None
    assert (signer.asked, chain.raws) == ([], [])

    await world.ledger.unfreeze("all", "", reason="test", actor=OPERATOR)
    assert await settlement.drive(waiting) is not None
    assert chain.balances == {ALICE: 1_000_000}
    await world.ledger.close()


async def test_a_halted_ledger_claims_signs_and_expires_nothing(tmp_path):
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", clock=clock)
    signing, waiting = await reserved(world, "r1"), await reserved(world, "r2")
    assert await world.ledger.claim(signing.payment_id, build_payment) is not None
    world.ledger.halt(ReasonCode.ROLLBACK_DETECTED)
    clock.advance(60_001)
    assert await world.ledger.claim(waiting.payment_id, build_payment) is None
    assert await world.ledger.sealed(signing.payment_id) is None
    assert await world.ledger.expire_overdue() == 0
    assert [r.state for r in await world.ledger.in_flight()] == [State.SIGNING, State.RESERVED]
    await world.ledger.close()


async def test_a_wallet_whose_start_failed_still_closes_its_ledger(tmp_path):
    playground = await make_playground(tmp_path, node="http://127.0.0.1:1", funded=False)
    wallet = await open_wallet(playground.where, chains=Chains({LOCAL: FakeChain()}))

    async def unreadable() -> None:
        raise OutsideError(ReasonCode.LEDGER_UNAVAILABLE, "The anchor cannot be read.")

    wallet._check = unreadable
    with pytest.raises(OutsideError, match="anchor"):
        await wallet.start()
    await wallet.close()
    with pytest.raises(ValueError, match="Connection closed"):
        await wallet.ledger.head()


async def test_only_one_of_two_processes_claims_an_approval_and_no_nonce_is_used_twice(tmp_path):
    world = await ledger_world(tmp_path / "ledger.db")
    other = await reopen(world)
    records = [await reserved(world, f"r{number}") for number in range(6)]
    sealed = [await ledger.claim(r.payment_id, build_payment) for r in records for ledger in (other, world.ledger)]
    assert [s is not None for s in sealed] == [True, False] * 6
    assert [s.nonce for s in sealed if s is not None and not isinstance(s, GateRefusal)] == list(range(6))
    await other.close()
    await world.ledger.close()


async def test_a_restored_older_ledger_spends_nothing(tmp_path):
    playground = await make_playground(tmp_path, node="http://127.0.0.1:1", funded=False)
    home, old, chain = playground.where.home, tmp_path / "old", FakeChain()

    async def pay(reference):
        wallet = await open_wallet(playground.where, chains=Chains({LOCAL: chain}))
        desk = wallet.desk(playground.agent_key)
        answer = await desk.send_payment(PaymentRequest(to="alice", amount="1.00", reference=reference))
        await wallet.close()
        return answer

    assert (await pay("r1")).status == "confirmed"
    shutil.copytree(home, old)
    assert (await pay("r2")).status == "confirmed"
    shutil.rmtree(home)
    shutil.copytree(old, home)

    answer = await pay("r3")
    assert (answer.status, "ROLLBACK_DETECTED" in answer.reason_codes) == ("denied", True)
    assert len(chain.mined) == 2
