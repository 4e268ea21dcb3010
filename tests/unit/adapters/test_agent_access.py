"""Whose key opens what, how often, and until when."""

from dataclasses import replace

import pytest

from mcp_wallet.core.credentials import credential_hash, format_api_key
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Approved
from tests.trails import FACTS
from tests.worlds import NOW_MS, OPERATOR, LedgerWorld, SteppedClock, ledger_world

HOUR_MS = 3_600_000
MINUTE_MS = 60_000


async def refusal_of(ledger, api_key: str) -> ReasonCode:
    with pytest.raises(CallerError) as refused:
        await ledger.authenticate(api_key)
    return refused.value.code


@pytest.fixture
async def make_world(tmp_path):
    """Make worlds and close their ledgers, whatever the test finds."""
    made: list[LedgerWorld] = []

    async def make(clock: SteppedClock, *, calls_per_minute: int = 1000) -> LedgerWorld:
        made.append(await ledger_world(tmp_path / "ledger.db", clock=clock, callsPerMinute=calls_per_minute))
        return made[-1]

    yield make
    for world in made:
        await world.ledger.close()


async def test_a_key_opens_until_its_last_millisecond(make_world):
    clock = SteppedClock()
    world = await make_world(clock)
    (first,) = await world.ledger.agents()
    api_key = format_api_key("test", "k2", b"\x02" * 32)
    row = replace(first, agent_id="short-lived", key_id="k2", expires_at_ms=NOW_MS + HOUR_MS)
    await world.ledger.add_agent(row, secret_hash=credential_hash(world.home_key, api_key), actor=OPERATOR)
    clock.advance(HOUR_MS - 1)
    assert (await world.ledger.authenticate(api_key))[0].agent_id == "short-lived"
    clock.advance(1)
    assert await refusal_of(world.ledger, api_key) is ReasonCode.CREDENTIAL_EXPIRED


async def test_another_key_of_the_same_id_opens_nothing(make_world):
    world = await make_world(SteppedClock())
    assert await refusal_of(world.ledger, format_api_key("test", "k1", b"\x01" * 32)) is ReasonCode.CREDENTIAL_INVALID


async def test_calls_are_counted_over_any_minute(make_world):
    clock = SteppedClock()
    world = await make_world(clock, calls_per_minute=2)  # it authenticates once itself
    clock.advance(1)
    await world.ledger.authenticate(world.api_key)
    assert await refusal_of(world.ledger, world.api_key) is ReasonCode.RATE_LIMITED
    clock.advance(MINUTE_MS - 1)
    await world.ledger.authenticate(world.api_key)
    assert await refusal_of(world.ledger, world.api_key) is ReasonCode.RATE_LIMITED


async def test_what_nobody_approved_expires_and_frees_its_reference(make_world):
    clock = SteppedClock()
    world = await make_world(clock)
    asked = world.request("large", amount="600.00")
    draft = parse_request(asked, agent=world.agent, registry=world.registry, book=world.book)
    waiting = await world.ledger.decide_and_reserve(draft, FACTS)
    assert waiting.record.state is State.PENDING_APPROVAL
    clock.advance(HOUR_MS - 1)
    assert await world.ledger.expire_overdue() == 0
    clock.advance(1)
    assert await world.ledger.expire_overdue() == 1
    expired = await world.ledger.payment(agent_id="", payment_id=waiting.record.payment_id)
    assert expired is not None
    assert expired.ended_by == ReasonCode.APPROVAL_EXPIRED
    small = parse_request(
        world.request("large", amount="1.00"), agent=world.agent, registry=world.registry, book=world.book
    )
    assert isinstance(await world.ledger.decide_and_reserve(small, FACTS), Approved)
