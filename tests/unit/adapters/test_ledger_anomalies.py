"""Anomalies in a ledger: recorded, frozen for, known again after a restart, and replayed from the trail."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.control.audit.replay import replay_trail
from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Approved, Denied
from tests.approved import KEY
from tests.trails import decide, pay
from tests.worlds import OPERATOR, REFUND_POLICY, LedgerWorld, SteppedClock, ledger_world, policy_document, reopen

WATCHING = REFUND_POLICY + "anomaly: {amount: deny, newRecipient: requireApproval, velocity: alert, probing: freeze}\n"
HOUR_MS = 3_600_000


async def simulate(world: LedgerWorld, **request: Any) -> tuple[Outcome, tuple[ReasonCode, ...]]:
    draft = parse_request(world.request(**request), agent=world.agent, registry=world.registry, book=world.book)
    decision = await world.ledger.simulate(draft)
    return decision.outcome, decision.codes


def events(path: Path) -> list[dict[str, Any]]:
    trail = SqliteTrail(path, key=None)
    try:
        return [orjson.loads(body) for _, _, body in trail.rows()]
    finally:
        trail.close()


def replayed(path: Path) -> tuple[Any, bool]:
    trail = SqliteTrail(path, key=None)
    try:
        report = replay_trail(trail)
    finally:
        trail.close()
    return report.document()["mismatches"], report.ok


async def regular(world: LedgerWorld, clock: SteppedClock, count: int = 20) -> None:
    """Let the agent pay 1.00 to alice once an hour."""
    for index in range(count):
        clock.advance(HOUR_MS)
        assert isinstance(await decide(world, f"r{index}"), Approved)


async def test_searching_for_the_limit_freezes_the_agent_simulations_included(tmp_path: Path):
    world = await ledger_world(tmp_path / "ledger.db", policy=WATCHING, clock=SteppedClock(), sender=KEY.address)
    for amount in ("1001", "1002", "1003"):
        assert (await simulate(world, amount=amount))[1][0] is ReasonCode.PER_TX_LIMIT_EXCEEDED
    for amount in ("1004", "1005"):
        assert isinstance(await decide(world, amount=amount), Denied)
    assert await simulate(world, amount="5") == (Outcome.DENY, (ReasonCode.ANOMALY_PROBING,))
    assert await simulate(world, amount="5") == (Outcome.DENY, (ReasonCode.FROZEN, ReasonCode.ANOMALY_PROBING))
    await world.ledger.close()
    kinds = [event["eventType"] for event in events(world.path)[-5:]]
    assert kinds == ["simulation", "kill_switch_engaged", "anomaly_detected", "simulation", "anomaly_detected"]
    freeze = next(event for event in events(world.path) if event["eventType"] == "kill_switch_engaged")
    assert (freeze["kind"], freeze["value"], freeze["reason"]) == ("agent", "refund-processor", "ANOMALY_PROBING")
    assert replayed(world.path) == ([], True)


async def test_what_is_unusual_is_refused_or_asked_about_and_stands_on_the_trail(tmp_path: Path):
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", policy=WATCHING, clock=clock, sender=KEY.address)
    await regular(world, clock)
    dear = await decide(world, "dear", amount="5.00")
    assert isinstance(dear, Denied)
    assert [reason.code for reason in dear.record.reasons] == [ReasonCode.ANOMALY_AMOUNT]
    strange = await decide(world, "strange", to="bob")
    assert isinstance(strange, Denied)
    assert strange.record.outcome is Outcome.REQUIRE_APPROVAL
    assert {reason.code for reason in strange.record.reasons} == {"APPROVAL_REQUIRED", "ANOMALY_NEW_RECIPIENT"}
    await world.ledger.close()
    found = [event for event in events(world.path) if event["eventType"] == "anomaly_detected"]
    assert [event["anomalies"][0]["action"] for event in found] == ["deny", "requireApproval"]
    assert found[0]["paymentId"] == dear.record.payment_id
    assert replayed(world.path) == ([], True)


async def test_a_policy_that_begins_to_look_knows_what_was_usual_before_and_a_restart_knows_it_too(tmp_path: Path):
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", clock=clock, sender=KEY.address)
    await regular(world, clock)
    assert isinstance(await decide(world, "five", amount="5.00"), Approved)
    await world.ledger.activate_policy("refunds", policy_document(WATCHING, world.settings), actor=OPERATOR)
    assert await simulate(world, amount="6.00") == (Outcome.DENY, (ReasonCode.ANOMALY_AMOUNT,))
    await world.ledger.close()
    again = replace(world, ledger=await reopen(world, clock=clock))
    assert await simulate(again, amount="6.00") == (Outcome.DENY, (ReasonCode.ANOMALY_AMOUNT,))
    assert (await simulate(again, amount="1.00"))[0] is Outcome.ALLOW
    await again.ledger.close()
    assert replayed(world.path) == ([], True)


async def test_an_alert_changes_nothing_but_what_is_recorded(tmp_path: Path):
    policy = REFUND_POLICY + "anomaly: {amount: alert}\n"
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", policy=policy, clock=clock, sender=KEY.address)
    await regular(world, clock)
    dear = await decide(world, "dear", amount="50.00")
    assert isinstance(dear, Approved)
    assert [reason.code for reason in dear.record.reasons] == [ReasonCode.OK, ReasonCode.ANOMALY_AMOUNT]
    await pay(world, "after", amount="1.00")
    await world.ledger.close()
    assert sum(event["eventType"] == "anomaly_detected" for event in events(world.path)) == 1
    assert replayed(world.path) == ([], True)
