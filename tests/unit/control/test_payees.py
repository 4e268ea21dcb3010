"""The address book changes by versions, one after the other."""

import pytest

from mcp_wallet.contract.changes import ChangeState
from mcp_wallet.control.payees import add_payee, remove_payee
from mcp_wallet.core.errors import CallerError
from mcp_wallet.ports import Actor
from mcp_wallet.wiring.opening import OpenHome, open_home
from tests.unit.control.homes import environment_in, make_home

OWNER = Actor(kind="operator", name="owner")
BOB = "0xb0b0000000000000000000000000000000000002"


async def add(home: OpenHome, name: str, address: str):
    return await add_payee(home.ledger, name=name, address=address, category="", actor=OWNER)


async def test_two_additions_after_each_other_lose_nothing(tmp_path):
    await make_home(tmp_path)
    async with open_home(environment_in(tmp_path)) as home:
        assert (await add(home, "bob", BOB)).state is ChangeState.ACTIVE
        await add(home, "carol", "0xca" + "0" * 37 + "3")
        active = await home.ledger.settings()
    assert active is not None
    assert list(active.book.by_name) == ["bob", "carol"]
    assert active.version == "3"


async def test_a_payee_keeps_the_time_of_its_addition(tmp_path):
    await make_home(tmp_path)
    async with open_home(environment_in(tmp_path)) as home:
        change = await add(home, "bob", BOB)
        before = await home.ledger.settings()
        await add(home, "carol", "0xca" + "0" * 37 + "3")
        after = await home.ledger.settings()
    assert before is not None
    assert after is not None
    assert after.book.by_name["bob"] == before.book.by_name["bob"]
    assert after.book.by_name["bob"].added_at_ms >= change.proposed_at_ms


async def test_removing_whom_nobody_knows_is_said(tmp_path):
    await make_home(tmp_path)
    async with open_home(environment_in(tmp_path)) as home:
        with pytest.raises(CallerError, match="No payee is called `bob`"):
            await remove_payee(home.ledger, name="bob", actor=OWNER)
