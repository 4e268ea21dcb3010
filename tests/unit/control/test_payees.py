"""The address book changes by versions, one after the other."""

import pytest

from mcp_wallet.control.payees import add_payee, remove_payee
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.ports import Actor
from mcp_wallet.wiring.opening import OpenHome, open_home
from tests.unit.control.homes import environment_in, make_home

OWNER = Actor(kind="operator", name="owner")
BOB = "0xb0b0000000000000000000000000000000000002"


async def add(home: OpenHome, name: str, address: str):
    return await add_payee(
        home.ledger,
        home.settings,
        name=name,
        address=address,
        category="",
        own=Address("0x" + "5e" * 20),
        actor=OWNER,
        now_ms=1_780_000_000_000,
    )


async def test_a_change_made_from_an_older_version_is_refused_and_loses_nothing(tmp_path):
    await make_home(tmp_path)
    async with open_home(environment_in(tmp_path)) as home:
        await add(home, "bob", BOB)
        with pytest.raises(OwnerError, match="changed meanwhile"):
            await add(home, "carol", "0xca" + "0" * 37 + "3")  # from the settings as they were before bob
        active = await home.ledger.settings()
    assert active is not None
    assert list(active.book.by_name) == ["bob"]


async def test_a_payee_keeps_the_time_of_its_addition(tmp_path):
    await make_home(tmp_path)
    async with open_home(environment_in(tmp_path)) as home:
        settings = await add(home, "bob", BOB)
    assert settings.book.by_name["bob"].added_at_ms == 1_780_000_000_000


async def test_removing_whom_nobody_knows_is_said(tmp_path):
    await make_home(tmp_path)
    async with open_home(environment_in(tmp_path)) as home:
        with pytest.raises(CallerError, match="No payee is called `bob`"):
            await remove_payee(home.ledger, home.settings, name="bob", actor=OWNER)
