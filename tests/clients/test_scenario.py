"""Can every client pay? One scenario, each client on a playground of its own, the real server on a real chain."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_wallet.wiring.playground import make_playground
from tests.clients.apart import apart
from tests.clients.callers import Inspector, Served, client_in, langchain_toolkit, own_client
from tests.clients.scenario import play
from tests.node.nodes import RunningNode, running_devnet

pytest.importorskip("eth", reason="needs the `devnet` extra")

ROOT = Path(__file__).parents[2]
DRIVERS = Path(__file__).parent / "drivers"
LEGACY, MODERN = "2025-11-25", "2026-07-28"


@pytest.fixture(scope="session")
def devnet() -> Iterator[RunningNode]:
    with running_devnet() as node:
        yield node


@pytest.fixture
async def served(devnet: RunningNode, tmp_path: Path) -> Served:
    """How to start the real server of a new playground."""
    playground = await make_playground(tmp_path / "playground", node=devnet.url)
    bare = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    env = bare | playground.environ | {"PYTHONPATH": str(ROOT)}
    return Served(sys.executable, ["-m", "mcp_wallet", "serve"], env)


@pytest.mark.parametrize(("mode", "era"), [("legacy", LEGACY), (MODERN, MODERN)])
async def test_the_python_client_pays(served: Served, mode: str, era: str):
    async with own_client(served, mode) as client:
        assert client.era == era
        await play(client)


async def test_a_python_client_of_the_first_major_version_pays(served: Served):
    python = apart("clients") / "bin" / "python"
    async with client_in(str(python), str(DRIVERS / "mcp1.py"), served.text) as client:
        assert client.era == LEGACY
        await play(client)


async def test_an_agent_of_langchain_mcp_adapters_pays(served: Served):
    python = apart("clients") / "bin" / "python"
    async with client_in(str(python), str(DRIVERS / "adapters.py"), served.text) as client:
        await play(client)


@pytest.mark.parametrize(("major", "era"), [("1", LEGACY), ("2", LEGACY), ("2", MODERN)])
async def test_the_typescript_clients_pay(served: Served, node_binary: Path, major: str, era: str):
    driver = [str(node_binary), str(DRIVERS / "typescript.mjs")]
    mode = "legacy" if era == LEGACY else era
    async with client_in(*driver, served.text, str(apart("sdk")), major, mode) as client:
        assert client.era in {era, ""}
        await play(client)


async def test_the_inspector_pays(served: Served, inspector_binary: Path, tmp_path: Path):
    await play(Inspector(inspector_binary, served, tmp_path / "mcp.json"), in_full=False)


async def test_langchain_tools_pay_in_the_agents_process(served: Served):
    async with langchain_toolkit(served) as client:
        await play(client)
