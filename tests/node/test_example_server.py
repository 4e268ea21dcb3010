"""Can `mcp dev` and `mcp run` take examples/server.py, and is it the wallet's server?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from mcp_wallet.contract.tools import TOOLS
from tests.unit.doors.commands import environ_of, operator_at

pytest.importorskip("eth", reason="needs the `devnet` extra")

ROOT = Path(__file__).parents[2]
SERVER = str(ROOT / "examples" / "server.py")
RUN = "import sys; from mcp.cli.cli import app; sys.argv[0] = 'mcp'; app()"


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize("command", [["-c", RUN, "run", SERVER], [SERVER]], ids=["mcp run", "python"])
async def test_the_module_serves_the_playground(command: list[str], tmp_path: Path):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    async with Client(StdioServerParameters(command=sys.executable, args=command, env=env), mode="legacy") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [tool.name for tool in TOOLS]
        budget = await client.call_tool("check_budget", {})
    assert budget.structured_content is not None
    assert budget.structured_content["remaining"] == ["50000.00"]
    assert left_in(tmp_path) == []


def run(*command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", RUN, "run", SERVER, *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_transport_is_offered_that_asks_nobody_who_they_are():
    ran = run("--transport", "streamable-http")
    assert ran.returncode == 1
    assert "This server speaks over stdin and stdout alone" in ran.stderr


def test_it_refuses_what_serve_refuses(tmp_path: Path):
    _, made = operator_at(tmp_path)
    given = {"MCP_WALLET_AGENT_KEY": "mw_dev_x", "MCP_WALLET_OPERATOR_TOKEN": made.operator_token}
    ran = run(**environ_of(tmp_path), **given)
    assert ran.returncode == 1
    assert "MCP_WALLET_OPERATOR_TOKEN must not stand in" in ran.stderr
    assert made.operator_token not in ran.stderr
