"""`newRecipientHold` counts from the activation of the version that lists the recipient; a replay counts the same."""

from dataclasses import replace
from pathlib import Path

from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.reasons import ReasonCode
from tests.approved import KEY
from tests.trails import decide
from tests.unit.adapters.test_ledger_anomalies import replayed, simulate
from tests.worlds import OPERATOR, REFUND_POLICY, LedgerWorld, SteppedClock, ledger_world, policy_document, reopen

HOLDING = REFUND_POLICY.replace("[alice, bob]", "[alice]") + "newRecipientHold: 24h\n"
WIDER = HOLDING.replace("[alice]", "[alice, bob]")
HOUR_MS = 3_600_000
HELD = (Outcome.DENY, (ReasonCode.NEW_RECIPIENT_HOLD,))
ALLOWED = (Outcome.ALLOW, (ReasonCode.OK,))


async def activate(world: LedgerWorld, policy: str) -> None:
    await world.ledger.activate_policy("refunds", policy_document(policy, world.settings), actor=OPERATOR)


async def test_somebody_who_was_just_listed_waits_and_those_listed_before_do_not(tmp_path: Path):
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", policy=HOLDING, clock=clock, sender=KEY.address)
    assert await simulate(world, to="alice") == HELD
    clock.advance(24 * HOUR_MS)
    assert await simulate(world, to="alice") == ALLOWED
    await activate(world, WIDER)
    assert await simulate(world, to="alice") == ALLOWED
    clock.advance(24 * HOUR_MS - 1)
    assert await simulate(world, to="bob") == HELD
    await decide(world, "held", to="bob")
    clock.advance(1)
    assert await simulate(world, to="bob") == ALLOWED
    await decide(world, "free", to="bob")
    await world.ledger.close()
    assert replayed(world.path) == ([], True)


async def test_who_was_taken_off_the_list_and_comes_back_waits_again_also_after_a_restart(tmp_path: Path):
    clock = SteppedClock()
    world = await ledger_world(tmp_path / "ledger.db", policy=WIDER, clock=clock, sender=KEY.address)
    clock.advance(24 * HOUR_MS)
    assert await simulate(world, to="bob") == ALLOWED
    await activate(world, HOLDING)
    clock.advance(HOUR_MS)
    await activate(world, WIDER)
    clock.advance(24 * HOUR_MS - 1)
    assert await simulate(world, to="bob") == HELD
    await decide(world, "held", to="bob")
    await world.ledger.close()
    again = replace(world, ledger=await reopen(world, clock=clock))
    assert await simulate(again, to="bob") == HELD
    assert await simulate(again, to="alice") == ALLOWED
    clock.advance(1)
    assert await simulate(again, to="bob") == ALLOWED
    await again.ledger.close()
    assert replayed(world.path) == ([], True)
