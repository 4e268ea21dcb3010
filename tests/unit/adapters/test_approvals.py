"""Payments that wait for people: who counts, what closes a request, what is checked again, who comes too late."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.control.audit.replay import replay_trail
from mcp_wallet.control.requests import request_document, request_lines
from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Role
from mcp_wallet.ports import Actor, Approved, Denied
from tests.people import people
from tests.trails import FACTS, decide
from tests.worlds import (
    REFUND_POLICY,
    SYSTEM,
    LedgerWorld,
    SteppedClock,
    ledger_world,
    policy_document,
    reopen,
)

POLICY = REFUND_POLICY.replace("{quorum: 1, approvers: [owner], ttl: 1h}", "{quorum: 2, ttl: 1h}")
HOUR_MS = 3_600_000


async def waiting(world: LedgerWorld, reference: str = "large", **request: Any) -> str:
    """Return the id of a payment that waits."""
    decided = await decide(world, reference, **({"amount": "600.00"} | request))
    assert isinstance(decided, Denied)
    assert decided.record.state is State.PENDING_APPROVAL
    return decided.record.payment_id


async def state_of(world: LedgerWorld, payment_id: str) -> tuple[State, str]:
    record = await world.ledger.payment(agent_id="", payment_id=payment_id)
    assert record is not None
    return record.state, record.ended_by


async def yes(world: LedgerWorld, payment_id: str, actor: Actor) -> None:
    await world.ledger.vote(payment_id, approves=True, reason="known", actor=actor)


async def refused(world: LedgerWorld, payment_id: str, actor: Actor, *, approves: bool = True) -> ReasonCode:
    with pytest.raises(CallerError) as found:
        await world.ledger.vote(payment_id, approves=approves, reason="x", actor=actor)
    return found.value.code


def replays(path: Path) -> bool:
    trail = SqliteTrail(path, key=None)
    try:
        report = replay_trail(trail)
    finally:
        trail.close()
    assert report.mismatches == []
    return report.ok


@pytest.fixture
async def world(tmp_path):
    made = await ledger_world(tmp_path / "ledger.db", policy=POLICY, clock=SteppedClock(), solo=False)
    yield made
    await made.ledger.close()
    assert replays(made.path)


@pytest.fixture
async def trio(world):
    return await people(world.ledger, "nora", "omar", "owner")


async def test_a_quorum_of_different_people_lets_the_payment_be_decided_again(world, trio):
    nora, omar, _ = trio
    payment_id = await waiting(world)
    await yes(world, payment_id, nora)
    assert await world.ledger.approvals_due() == ([], False)
    assert await world.ledger.decide_approved(payment_id, FACTS) is None
    await yes(world, payment_id, omar)
    (granted,), over = await world.ledger.approvals_due()
    assert (granted.payment_id, over) == (payment_id, False)
    decided = await world.ledger.decide_approved(payment_id, FACTS)
    assert isinstance(decided, Approved)
    assert (decided.record.state, decided.record.outcome) == (State.RESERVED, Outcome.ALLOW)
    assert decided.approval.fee_cap_wei > 0
    assert await world.ledger.approvals_due() == ([], False)


async def test_nobody_counts_twice_and_the_requesters_owner_does_not_count(world, trio):
    nora, _, owner = trio
    payment_id = await waiting(world)
    await yes(world, payment_id, nora)
    assert await refused(world, payment_id, nora) is ReasonCode.INTENT_INVALID
    assert await refused(world, payment_id, owner) is ReasonCode.SECOND_PERSON_REQUIRED
    assert await world.ledger.approvals_due() == ([], False)


async def test_only_approvers_have_a_say(world, trio):
    (viewer,) = await people(world.ledger, "vera", roles=frozenset({Role.OPERATOR, Role.ADMIN}))
    payment_id = await waiting(world)
    assert await refused(world, payment_id, viewer) is ReasonCode.PERMISSION_DENIED
    assert await refused(world, payment_id, viewer, approves=False) is ReasonCode.PERMISSION_DENIED


async def test_only_named_approvers_have_a_say_where_the_rule_names_them(tmp_path):
    policy = POLICY.replace("{quorum: 2,", "{quorum: 1, approvers: [omar],")
    world = await ledger_world(tmp_path / "ledger.db", policy=policy, solo=False)
    nora, omar = await people(world.ledger, "nora", "omar")
    payment_id = await waiting(world)
    assert await refused(world, payment_id, nora) is ReasonCode.PERMISSION_DENIED
    await yes(world, payment_id, omar)
    assert len((await world.ledger.approvals_due())[0]) == 1
    await world.ledger.close()


async def test_one_rejection_ends_it_and_whoever_comes_later_is_told(world, trio):
    nora, omar, _ = trio
    payment_id = await waiting(world)
    await yes(world, payment_id, nora)
    record = await world.ledger.vote(payment_id, approves=False, reason="who is this", actor=omar)
    assert record.state is State.REJECTED
    assert await state_of(world, payment_id) == (State.REJECTED, "APPROVAL_REJECTED")
    assert await refused(world, payment_id, nora) is ReasonCode.APPROVAL_CLOSED
    assert await refused(world, payment_id, omar, approves=False) is ReasonCode.APPROVAL_CLOSED
    assert isinstance(await decide(world, "large", amount="600.00"), Denied)  # the reference is free again


async def test_two_people_who_speak_at_once_are_put_in_an_order(world, trio):
    nora, omar, _ = trio
    payment_id = await waiting(world)
    other = await reopen(world, clock=SteppedClock())
    said = await asyncio.gather(
        world.ledger.vote(payment_id, approves=False, reason="no", actor=nora),
        other.vote(payment_id, approves=True, reason="yes", actor=omar),
        return_exceptions=True,
    )
    await other.close()
    assert await state_of(world, payment_id) == (State.REJECTED, "APPROVAL_REJECTED")
    late = [answer for answer in said if isinstance(answer, CallerError)]
    assert [error.code for error in late] in ([], [ReasonCode.APPROVAL_CLOSED])


async def test_it_expires_and_then_nobody_can_approve_it(world, trio):
    nora, omar, _ = trio
    payment_id = await waiting(world)
    await yes(world, payment_id, nora)
    world.clock.advance(HOUR_MS)
    assert await refused(world, payment_id, omar) is ReasonCode.APPROVAL_CLOSED
    assert await state_of(world, payment_id) == (State.EXPIRED, "APPROVAL_EXPIRED")


async def test_a_stop_closes_what_waits_under_it(world, trio):
    nora, omar, _ = trio
    covered, other = await waiting(world), await waiting(world, "bob", to="bob")
    await yes(world, covered, nora)
    alice = str(world.book.by_name["alice"].address)
    await world.ledger.freeze("recipient", alice, reason="odd", actor=nora)
    assert await state_of(world, covered) == (State.RELEASED, "FROZEN")
    assert await refused(world, covered, omar) is ReasonCode.APPROVAL_CLOSED
    assert (await state_of(world, other))[0] is State.PENDING_APPROVAL


async def test_a_change_of_policy_or_settings_voids_it_and_frees_the_guard(world, trio):
    nora, omar, _ = trio
    by_policy = await waiting(world)
    await yes(world, by_policy, nora)
    document = policy_document(POLICY.replace("50000", "40000"), world.settings)
    await world.ledger.activate_policy("refunds", document, actor=SYSTEM)
    assert await world.ledger.approvals_due() == ([], True)
    assert await world.ledger.close_approvals() == 1
    assert await state_of(world, by_policy) == (State.RELEASED, "POLICY_CHANGED")
    by_settings = await waiting(world)
    await world.ledger.remove_payee("mallory", reason="never used", actor=nora)
    assert await refused(world, by_settings, omar) is ReasonCode.APPROVAL_CLOSED
    assert await state_of(world, by_settings) == (State.RELEASED, "POLICY_CHANGED")


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(FACTS, asset_balance_units=1), "INSUFFICIENT_FUNDS"),
        (replace(FACTS, max_fee_wei=10**15), "FEE_CAP_EXCEEDED"),
        (replace(FACTS, simulation_revert="paused"), "SIMULATION_REVERTED"),
    ],
)
async def test_balance_fee_and_simulation_are_checked_again(world, trio, facts, code):
    nora, omar, _ = trio
    payment_id = await waiting(world)
    await yes(world, payment_id, nora)
    await yes(world, payment_id, omar)
    decided = await world.ledger.decide_approved(payment_id, facts)
    assert isinstance(decided, Denied)
    assert await state_of(world, payment_id) == (State.RELEASED, code)
    assert isinstance(await decide(world, "large", amount="600.00"), Denied)  # asked for again: the guard is free


async def test_limits_are_checked_again_without_the_payment_itself(tmp_path):
    policy = POLICY.replace('"50000.00"', '"1000.00"')
    world = await ledger_world(tmp_path / "ledger.db", policy=policy, clock=SteppedClock(), solo=False)
    nora, omar = await people(world.ledger, "nora", "omar")
    payment_id = await waiting(world)
    await yes(world, payment_id, nora)
    await yes(world, payment_id, omar)
    decided = await world.ledger.decide_approved(payment_id, FACTS)
    assert isinstance(decided, Approved)  # 600 of 1000 are its own
    (line,), _ = await world.ledger.budget(world.agent, world.policy)
    assert (line.held_units, line.count) == (600_000_000, 1)
    await world.ledger.close()
    assert replays(world.path)


async def test_votes_survive_a_restart_and_other_processes_see_them(world, trio):
    nora, omar, _ = trio
    payment_id = await waiting(world)
    await yes(world, payment_id, nora)
    other = await reopen(world, clock=SteppedClock())
    await other.vote(payment_id, approves=True, reason="", actor=omar)
    assert len((await world.ledger.approvals_due())[0]) == 1
    third = await reopen(world, clock=SteppedClock())
    decided = await third.decide_approved(payment_id, FACTS)
    assert isinstance(decided, Approved)
    assert await world.ledger.decide_approved(payment_id, FACTS) is None
    await other.close()
    await third.close()


async def test_in_a_solo_home_the_owner_approves_alone_and_the_trail_says_so(tmp_path):
    world = await ledger_world(tmp_path / "ledger.db", clock=SteppedClock())
    (owner,) = await people(world.ledger, "owner")
    payment_id = await waiting(world)
    await yes(world, payment_id, owner)
    assert isinstance(await world.ledger.decide_approved(payment_id, FACTS), Approved)
    await world.ledger.close()
    trail = SqliteTrail(world.path, key=None)
    bodies = [body for _, _, body in trail.rows() if b'"approval_granted"' in body]
    trail.close()
    assert len(bodies) == 1
    assert b'"separationOfDuties":false' in bodies[0]
    assert replays(world.path)


async def test_a_request_shows_facts_in_order_and_quotes_the_agent(world, trio):
    nora, _, _ = trio
    payment_id = await waiting(world, "refund #9", amount="1000.00", memo="pay me, approved by nora")
    await yes(world, payment_id, nora)
    (request,) = await world.ledger.approval_requests()
    shown = request_document(request, world.registry)
    assert shown["amountWords"] == "one thousand USDC"
    assert shown["paymentNumber"] == 1
    assert shown["approvedBy"] == ["nora"]
    assert shown["missing"] == ["large"]
    lines = request_lines(request, world.registry)
    assert "0x A1a1 A1a1".lower() in "\n".join(lines).lower()
    assert lines[-1] == '  the agent wrote as memo: "pay me, approved by nora"'
    facts = "\n".join(lines[:-2])
    assert "pay me" not in facts
