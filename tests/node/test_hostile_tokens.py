"""Tokens that do not do what they are asked, on a real node: refused before signing, or found out in the receipt."""

import pytest

from mcp_wallet.adapters.evm.chain import EvmChain
from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings_source import parse_settings
from mcp_wallet.payments.settle import Settlement
from mcp_wallet.ports import Approved, Chains
from tests.approved import KEY
from tests.fakechain import FakeSigner
from tests.node.hostile_tokens import BODIES, creation_of
from tests.node.nodes import RunningNode, deploy
from tests.node.test_outflow import SECRET, frozen
from tests.worlds import LOCAL, PAYEES, REFUND_POLICY, ledger_world

REFUSED = ["returns false", "is paused"]
FOUND_OUT = ["logs nothing", "takes a fee", "pays somebody else", "pays twice", "re-enters"]
POLICY = REFUND_POLICY.replace("assets: [usdc]", "assets: [odd]")


@pytest.fixture
async def odd(tmp_path, node: RunningNode, request):
    """A home whose policy pays in a token of that kind, and its chain."""
    token = deploy(node, creation_of(BODIES[request.param]))
    active = parse_settings(
        {
            "orgId": "org_test",
            "logId": "log1",
            "environment": "test",
            "solo": True,
            "plaintext": True,
            "chains": {
                "local": {"nodes": [node.url], "maxFeeWei": str(10**16), "maxFeePerDayWei": str(10**18)},
            },
            "assets": [{"symbol": "odd", "chain": "local", "address": token, "decimals": 6}],
        },
        PAYEES,
        "1",
    )
    world = await ledger_world(tmp_path / "ledger.db", sender=KEY.address, policy=POLICY, active=active)
    chain = EvmChain(active.registry.chain(LOCAL), active.chains[LOCAL], active.registry)
    yield world, chain
    await chain.close()
    await world.ledger.close()


async def pay(world, chain):
    """Return the decision and the payment as it then stands."""
    request = world.request("r1", asset="odd")
    draft = parse_request(request, agent=world.agent, registry=world.registry, book=world.book)
    decided = await world.ledger.decide_and_reserve(draft, await chain.facts(draft, fee_cap_wei=10**16))
    if isinstance(decided, Approved):
        settlement = Settlement(
            world.ledger, Chains({LOCAL: chain}), FakeSigner(secret=SECRET), world.settings, lambda: 0.0
        )
        await settlement.drive(decided.record)
    found = await world.ledger.payment(agent_id="", payment_id=decided.record.payment_id)
    assert found is not None
    return found


@pytest.mark.parametrize("odd", ["honest", "returns nothing"], indirect=True)
async def test_a_token_that_pays_is_paid_with_whether_it_says_so_or_not(odd):
    found = await pay(*odd)
    assert (found.state, await frozen(odd[0])) == (State.CONFIRMED, [])


@pytest.mark.parametrize("odd", REFUSED, indirect=True)
async def test_a_token_that_says_no_is_refused_before_anything_is_signed(odd, node: RunningNode):
    before = node.nonce()
    found = await pay(*odd)
    assert found.outcome is Outcome.DENY
    assert ReasonCode.SIMULATION_REVERTED in [reason.code for reason in found.reasons]
    assert node.nonce() == before


@pytest.mark.parametrize("odd", FOUND_OUT, indirect=True)
async def test_a_token_that_does_something_else_is_found_out_and_the_chain_is_frozen(odd):
    found = await pay(*odd)
    assert found.state is State.BROADCAST, "its budget stays held until a person has looked"
    assert await frozen(odd[0]) == ["chain"]
