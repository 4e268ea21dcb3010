"""The account's key used elsewhere is found on a real node, and the chain is frozen; a stranger freezes nothing."""

import itertools

import pytest

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import parse_request
from mcp_wallet.core.transaction import encode_transfer
from mcp_wallet.devnet import DEV_ACCOUNTS
from mcp_wallet.payments.outflow import OutflowWatch
from mcp_wallet.payments.settle import Settlement
from mcp_wallet.ports import Approved, Chains
from tests.approved import KEY
from tests.fakechain import FakeSigner
from tests.node.nodes import USDC, RunningNode
from tests.worlds import ALICE, LOCAL, OPERATOR, LedgerWorld, ledger_world

WALLET, STRANGER = DEV_ACCOUNTS[0], DEV_ACCOUNTS[5]
TRANSFER_FROM = bytes.fromhex("23b872dd")
SECRET = bytes.fromhex(WALLET.private_key[2:])


@pytest.fixture
async def world(tmp_path):
    world = await ledger_world(tmp_path / "ledger.db", sender=KEY.address)
    yield world
    await world.ledger.close()


@pytest.fixture
async def watch(world, chain):
    """A watch that has looked once."""
    seconds = itertools.count(step=60)
    watch = OutflowWatch(world.ledger, Chains({LOCAL: chain}), KEY.address, lambda: float(next(seconds)))
    await watch.look()
    return watch


async def frozen(world: LedgerWorld) -> list[str]:
    return [kind for kind, _, _ in await world.ledger.freezes()]


async def pay(world, chain, reference):
    draft = parse_request(world.request(reference), agent=world.agent, registry=world.registry, book=world.book)
    facts = await chain.facts(draft, fee_cap_wei=10**16)
    decided = await world.ledger.decide_and_reserve(draft, facts)
    assert isinstance(decided, Approved), decided
    settlement = Settlement(
        world.ledger, Chains({LOCAL: chain}), FakeSigner(secret=SECRET), world.settings, lambda: 0.0
    )
    assert await settlement.drive(decided.record) is not None


async def test_our_own_payments_are_explained_to_the_last_wei(world, watch, chain):
    await watch.look()
    for reference in ("r1", "r2"):
        await pay(world, chain, reference)
        await watch.look()
    assert await frozen(world) == []


@pytest.mark.parametrize("theft", ["token", "native"])
async def test_what_leaves_by_the_same_key_elsewhere_freezes_the_chain(world, watch, chain, node: RunningNode, theft):
    await pay(world, chain, "r1")
    await watch.look()
    if theft == "token":
        node.send_as(WALLET, to=USDC, data=encode_transfer(ALICE, 5))
    else:
        node.send_as(WALLET, to=ALICE, value_wei=1)
    await watch.look()
    assert await frozen(world) == ["chain"]


async def test_what_was_before_the_first_look_and_what_was_found_once_is_not_found_again(world, chain, node, watch):
    node.send_as(WALLET, to=USDC, data=encode_transfer(ALICE, 5))
    await watch.look()
    assert await frozen(world) == ["chain"]
    await world.ledger.unfreeze("chain", LOCAL, reason="it was me", actor=OPERATOR)
    node.rpc("evm_mine")
    await watch.look()
    assert await frozen(world) == []


async def test_a_stranger_cannot_freeze_the_wallet(world, watch, chain, node: RunningNode):
    """Transfers of nothing in the wallet's name, gifts of coins and tokens, and a payment in the middle of it."""
    nothing = TRANSFER_FROM + bytes(12) + bytes.fromhex(KEY.address[2:]) + bytes(12) + bytes.fromhex(ALICE[2:])
    node.send_as(STRANGER, to=USDC, data=nothing + bytes(32))
    node.send_as(STRANGER, to=Address(KEY.address), value_wei=10**9)
    await pay(world, chain, "r1")
    node.send_as(STRANGER, to=USDC, data=nothing + bytes(32))
    await watch.look()
    assert await frozen(world) == []
    await pay(world, chain, "r2")
