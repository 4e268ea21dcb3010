"""The nodes that every test in this folder runs against, one after the other."""

from collections.abc import AsyncIterator, Iterator

import pytest

from mcp_wallet.adapters.evm.chain import EvmChain
from tests.node.faultproxy import FaultProxy
from tests.node.nodes import RunningNode, running_anvil, running_devnet
from tests.node.payments import chain_at


@pytest.fixture(scope="session", params=["devnet", "anvil"])
def running(request: pytest.FixtureRequest) -> Iterator[RunningNode]:
    found = running_anvil(request.getfixturevalue("anvil_binary")) if request.param == "anvil" else running_devnet()
    with found as node:
        yield node


@pytest.fixture
def node(running: RunningNode) -> Iterator[RunningNode]:
    """The node as it was; what a test does to it is undone."""
    before = running.rpc("evm_snapshot")
    yield running
    running.rpc("evm_revert", before)
    running.rpc("evm_setAutomine", True)


@pytest.fixture
async def chain(node: RunningNode) -> AsyncIterator[EvmChain]:
    chain = chain_at(node.url)
    yield chain
    await chain.close()


@pytest.fixture
async def proxy(node: RunningNode) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(node.url) as proxy:
        yield proxy


@pytest.fixture
async def proxied(proxy: FaultProxy) -> AsyncIterator[EvmChain]:
    chain = chain_at(proxy.url)
    yield chain
    await chain.close()
