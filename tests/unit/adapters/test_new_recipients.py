"""`newRecipientHold` counts from the activation of the version that lists a recipient."""

import pytest

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.control.audit.replay import replay_trail
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Approved, Denied
from tests.trails import decide
from tests.worlds import OPERATOR, LedgerWorld, SteppedClock, ledger_world, policy_document, reopen

HOUR_MS = 3_600_000
STRANGER = "0x" + "7c" * 20
POLICY = """
version: 1
id: refunds
rules:
  - id: refund-usdc
    effect: allow
    match: {chains: [local], assets: [usdc], recipients: [alice]}
    perTransaction: {max: "1000.00"}
newRecipientHold: 24h
"""
WIDER = POLICY.replace("[alice]", f'[alice, "{STRANGER}"]')


@pytest.fixture
async def world(tmp_path):
    made = await ledger_world(tmp_path / "ledger.db", policy=POLICY, clock=SteppedClock())
    yield made
    await made.ledger.close()
    trail = SqliteTrail(made.path, key=None)
    report = replay_trail(trail)
    trail.close()
    assert report.mismatches == []


async def activate(world: LedgerWorld, text: str) -> None:
    await world.ledger.activate_policy("refunds", policy_document(text, world.settings), actor=OPERATOR)


async def held(world: LedgerWorld, reference: str, to: str) -> bool:
    decided = await decide(world, reference, to=to)
    if isinstance(decided, Approved):
        return False
    assert isinstance(decided, Denied)
    return ReasonCode.NEW_RECIPIENT_HOLD in {r.code for r in decided.record.reasons}


async def test_a_recipient_is_held_from_the_version_that_lists_it(world):
    world.clock.advance(24 * HOUR_MS)
    assert not await held(world, "r-1", "alice")
    await activate(world, WIDER)
    assert not await held(world, "r-2", "alice")  # listed before, without a break
    assert await held(world, "r-3", STRANGER)
    world.clock.advance(24 * HOUR_MS - 1)
    assert await held(world, "r-4", STRANGER)
    world.clock.advance(1)
    assert not await held(world, "r-5", STRANGER)


async def test_a_break_begins_the_hold_anew(world):
    await activate(world, WIDER)
    world.clock.advance(24 * HOUR_MS)
    assert not await held(world, "r-1", STRANGER)
    await activate(world, POLICY.replace("1000.00", "999.00"))
    await activate(world, WIDER)
    assert await held(world, "r-2", STRANGER)
    assert not await held(world, "r-3", "alice")


async def test_another_process_and_a_restart_count_the_same(world):
    world.clock.advance(24 * HOUR_MS)
    other = await reopen(world, clock=world.clock)
    await activate(world, WIDER)
    again = await reopen(world, clock=world.clock)
    for number, ledger in enumerate((other, again)):
        seen = LedgerWorld(
            ledger, world.settings, world.policy, world.agent, world.api_key, world.path, world.home_key, world.clock
        )
        assert await held(seen, f"r-{number}", STRANGER)
        assert not await held(seen, f"s-{number}", "alice")
        await ledger.close()
