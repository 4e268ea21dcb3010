"""What `doctor` finds on a real node: the chain, the clock, and whether there is anything to pay with."""

import time
from dataclasses import replace

import pytest

from mcp_wallet.control.health import Verdict
from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.registry import SHIPPED
from mcp_wallet.devnet.client import fund
from mcp_wallet.wiring.chain_examination import _clock, examine_chains
from tests.worlds import settings

ACCOUNT = Address("0x" + "d0" * 20)


def settings_on(url: str):
    """Return the settings of a home whose only node is at this address."""
    made, local = settings(), ChainId("eip155:31337")
    return replace(made, chains={local: replace(made.chains[local], nodes=(url,))})


async def test_an_account_without_money_is_told_what_to_send_where(node):
    found = {check.name: check for check in await examine_chains(settings_on(node.url), ACCOUNT)}
    assert found["node local 1"].verdict is Verdict.OK
    assert found["clock local"].verdict is Verdict.OK
    assert found["funds local"].verdict is Verdict.NOTICE
    assert found["funds local"].sentence == "The account holds 0.00 ETH, 0.00 USDC on local."
    assert "ETH for fees" in found["funds local"].mend


async def test_an_account_with_money_has_nothing_to_mend(node):
    await fund(node.url, ACCOUNT, wei=10**18, usdc_units=5 * 10**6)
    *_, funds = await examine_chains(settings_on(node.url), ACCOUNT)
    assert (funds.verdict, funds.mend) == (Verdict.OK, "")
    assert funds.sentence == "The account holds 1.00 ETH, 5.00 USDC on local."


async def test_a_node_that_is_not_there_hides_no_other_finding():
    (found,) = await examine_chains(settings(), ACCOUNT)
    assert (found.verdict, found.name) == (Verdict.UNKNOWN, "node local 1")


@pytest.mark.parametrize(("seconds", "verdict"), [(-290, Verdict.OK), (-310, Verdict.FAILED), (310, Verdict.FAILED)])
def test_a_clock_more_than_five_minutes_from_the_chain_is_wrong(seconds: int, verdict: Verdict):
    check = _clock(SHIPPED.chain("base"), int(time.time()) + seconds)
    assert (check.verdict, bool(check.mend)) == (verdict, verdict is Verdict.FAILED)
