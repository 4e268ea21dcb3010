"""Does every decision come out again, byte for byte, from nothing but the trail? And is a forged one found?"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.control.audit.replay import ReplayReport, differences, replay_trail
from mcp_wallet.core.building import build_payment
from mcp_wallet.core.decision import facts_of
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.signing_gate import GateRefusal
from mcp_wallet.ports import Approved, Denied
from tests.approved import KEY
from tests.faults.test_tampering import bodies_of, changed, opened, renumbered, rewrite
from tests.trails import FACTS, Lived, decide, lived, pay
from tests.worlds import OPERATOR, REFUND_POLICY, SteppedClock, ledger_world, policy_document, reopen

PAID, DECISIONS = 19, 13


@pytest.fixture
async def past(tmp_path: Path) -> Lived:
    return await lived(tmp_path)


def replayed(path: Path) -> ReplayReport:
    trail = SqliteTrail(path, key=None)
    try:
        return replay_trail(trail)
    finally:
        trail.close()


def altered(past: Lived, sequence: int, **fields: Any) -> ReplayReport:
    """Replay with one event changed and every hash made again: only the rules can tell."""
    with opened(past) as raw:
        bodies = bodies_of(raw)
        bodies[sequence] = changed(bodies[sequence], **fields)
        rewrite(raw, bodies)
    return replayed(past.path)


def event(past: Lived, sequence: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(past.trail().row(sequence)[2])  # type: ignore[index]
    return found


def fields(report: ReplayReport) -> set[tuple[int, str]]:
    return {(mismatch.sequence, mismatch.field) for mismatch in report.mismatches}


async def test_a_lived_ledger_replays_byte_for_byte(past: Lived):
    report = replayed(past.path)
    assert report.document()["mismatches"] == []
    assert report.ok
    assert report.equal == report.decisions == DECISIONS


async def test_an_upgraded_policy_and_a_restart_replay(tmp_path: Path):
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", clock=clock, sender=KEY.address)
    await pay(world, "r-1", amount="450.00")
    tighter = policy_document(REFUND_POLICY.replace('"1000.00"', '"100.00"').replace("500.00", "50.00"), world.settings)
    await world.ledger.activate_policy("refunds", tighter, actor=OPERATOR)
    assert isinstance(await decide(world, "r-2", amount="450.00"), Denied)
    await world.ledger.close()
    clock.advance(3_600_000)
    other = await reopen(world, clock=clock)
    assert isinstance(await decide(replace(world, ledger=other), "r-3", amount="20.00"), Approved)
    await other.close()
    report = replayed(tmp_path / "ledger.db")
    assert (report.document()["mismatches"], report.equal) == ([], 3)


async def test_a_clock_that_went_back_between_preview_and_decision_replays(tmp_path: Path):
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", clock=clock, sender=KEY.address)
    await pay(world, "r-1", amount="450.00")
    clock.advance(86_400_000 - 500)
    await decide(world, "r-2", amount="1.00")
    draft = parse_request(world.request("r-3"), agent=world.agent, registry=world.registry, book=world.book)
    clock.advance(1_000)
    assert await world.ledger.preview(draft) is None
    clock.advance(-900)
    assert isinstance(await decide(world, "r-3"), Approved)
    await world.ledger.close()
    assert replayed(tmp_path / "ledger.db").document()["mismatches"] == []
    last = list(SqliteTrail(tmp_path / "ledger.db", key=None).rows())[-1][2]
    assert json.loads(last)["counters"]["windows"][0]["spent"] == "450000000"


async def test_a_forged_outcome_is_found(past: Lived):
    report = altered(past, PAID, decision="DENY")
    assert not report.ok
    assert (PAID, "/decision") in fields(report)


async def test_a_forged_counter_is_found(past: Lived):
    counters = event(past, PAID)["counters"]
    counters["windows"][0]["held"] = "0"
    report = altered(past, PAID, counters=counters)
    assert fields(report) == {(PAID, "/counters/windows/0/held")}
    assert report.mismatches[0].recorded == "0"


async def test_a_payment_taken_out_of_the_past_is_missed_by_the_next_decision(past: Lived):
    with opened(past) as raw:
        bodies = bodies_of(raw)
        rewrite(raw, renumbered([*bodies[:PAID], *bodies[PAID + 5 :]]))
    report = replayed(past.path)
    assert {field for _, field in fields(report)} >= {"/counters/windows/0/spent", "/counters/spentToday"}


async def test_a_second_payment_for_one_reference_is_found(past: Lived):
    with opened(past) as raw:
        bodies = bodies_of(raw)
        again = changed(bodies[PAID], paymentId="pay_" + "f" * 32, timestamp=json.loads(bodies[-1])["timestamp"])
        rewrite(raw, renumbered([*bodies, again]))
    report = replayed(past.path)
    assert (36, "/answeredBy") in fields(report)


async def test_a_payment_that_ignored_a_freeze_is_found(past: Lived):
    report = altered(past, 13, eventType="kill_switch_engaged", kind="all", value="")
    assert any(field.startswith("/counters/frozenBy") for _, field in fields(report))


async def test_a_policy_that_is_not_kept_is_counted_and_never_ok(past: Lived):
    with opened(past) as raw:
        raw.execute("DELETE FROM policy_version")
    report = replayed(past.path)
    assert (report.ok, report.equal, report.not_replayable) == (False, 0, DECISIONS)


async def test_a_policy_that_is_not_what_its_hash_says_is_not_used(past: Lived):
    with opened(past) as raw:
        raw.execute("UPDATE policy_version SET document = replace(document, '1000000000', '9000000000')")
    report = replayed(past.path)
    assert (report.ok, report.not_replayable) == (False, DECISIONS)


async def test_an_agent_that_is_denied_too_often_is_frozen_and_replay_demands_it(tmp_path: Path):
    world = await ledger_world(tmp_path / "ledger.db", clock=SteppedClock(), sender=KEY.address, denialsPerHour=3)
    for number in range(4):
        assert isinstance(await decide(world, f"r-{number}", to="mallory"), Denied)
    await world.ledger.close()
    assert replayed(tmp_path / "ledger.db").ok
    past = Lived(world, tmp_path / "none", "")
    with opened(past) as raw:
        bodies = bodies_of(raw)
        frozen = next(i for i, body in enumerate(bodies) if b"kill_switch_engaged" in body)
        rewrite(raw, renumbered([*bodies[:frozen], *bodies[frozen + 1 :]]))
    assert (frozen, "/eventType") in fields(replayed(tmp_path / "ledger.db"))


async def test_a_signature_that_was_refused_gives_nothing_back(tmp_path: Path):
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", clock=clock, sender=KEY.address)
    decided = await decide(world, "r-1", amount="400.00")
    assert isinstance(decided, Approved)
    await world.ledger.claim(decided.record.payment_id, build_payment)
    refusal = GateRefusal(code=ReasonCode.TRANSACTION_INVALID, message="The signer returned other bytes.")
    await world.ledger.reject_signed(decided.record.payment_id, refusal)
    await world.ledger.unfreeze("all", "", reason="looked at", actor=OPERATOR)
    await decide(world, "r-2", amount="1.00")
    await world.ledger.close()
    report = replayed(tmp_path / "ledger.db")
    assert report.ok
    last = list(SqliteTrail(tmp_path / "ledger.db", key=None).rows())[-1][2]
    assert json.loads(last)["counters"]["windows"][0]["held"] == "400000000"


async def test_a_text_that_is_no_event_is_a_mismatch_and_no_crash(past: Lived):
    with opened(past) as raw:
        bodies = bodies_of(raw)
        rewrite(raw, [*bodies[:25], b"[]", b"{}", *bodies[27:]])
    assert {(25, ""), (26, "")} <= fields(replayed(past.path))


def test_facts_come_back_as_they_were_written():
    assert facts_of(FACTS.document()).document() == FACTS.document()
    assert facts_of({}).document() == {}


def test_differences_name_the_smallest_place():
    assert list(differences({"a": [{"b": "1"}], "c": "x"}, {"a": [{"b": "2"}]})) == [
        ("/a/0/b", "1", "2"),
        ("/c", "x", "(absent)"),
    ]
