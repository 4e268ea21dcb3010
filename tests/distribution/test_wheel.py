"""Does what was installed from the wheel work, with nothing of the checkout near it?"""

import json
import os
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from packaging.requirements import Requirement

from mcp_wallet import __version__
from tests.clients.apart import apart
from tests.distribution.installed import Installed
from tests.release.building import ROOT

VERIFY = """\
export MCP_WALLET_HOME=play/home MCP_WALLET_KEYS_DIR=play/keys MCP_WALLET_STATE_DIR=play/state
token='import json; print(json.load(open("play/playground.json"))["operator_token"])'
export MCP_WALLET_OPERATOR_TOKEN="$(python -c "$token")"
mcp-wallet audit tail --all --json > trail.jsonl &&
python examples/verify_trail.py trail.jsonl --vkey "$(mcp-wallet audit key)"
"""


def test_the_program_is_called_as_the_distribution_is(installed: Installed):
    ran = installed.run(installed.command, "--version")
    assert (ran.returncode, ran.stdout) == (0, f"{__version__}\n")
    shown = installed.run(str(installed.python), "-c", "import mcp_wallet; print(mcp_wallet.__file__)")
    assert "site-packages" in shown.stdout
    assert str(ROOT / "mcp_wallet") not in shown.stdout


def test_nothing_that_it_needs_is_missing(installed: Installed):
    ran = installed.run(str(installed.python), "-m", "pip", "check")
    assert ran.returncode == 0, ran.stdout


def test_what_the_playground_needs_is_what_its_extra_names(installed: Installed):
    (site,) = (installed.python.parents[1] / "lib").glob("python*/site-packages")
    (info,) = site.glob("mcp_wallet-*.dist-info")
    wanted = map(Requirement, PathDistribution(info).requires or [])
    extra = {need.name for need in wanted if need.marker is not None and need.marker.evaluate({"extra": "devnet"})}
    there = {path.name.partition("-")[0].replace("_", "-").lower() for path in site.glob("*.dist-info")}
    assert extra
    assert extra <= there


def test_the_demo_tells_its_whole_story(installed: Installed):
    ran = installed.run(installed.command, "demo", "--json")
    story = json.loads(ran.stdout)
    assert (ran.returncode, story["ok"]) == (0, True), story
    assert len(story["steps"]) >= 9


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_the_playground_pays(installed: Installed, era: str):
    parameters = StdioServerParameters(
        command=installed.command, args=["serve", "--dev"], env=installed.environ, cwd=installed.folder
    )
    async with Client(parameters, mode=era) as client:
        paid = await client.call_tool("send_payment", {"to": "alice", "amount": "50.00", "reference": "r1"})
    assert paid.structured_content is not None
    assert paid.structured_content["decision"] == "ALLOW"


@pytest.mark.parametrize("client", ["claude-desktop", "claude-code", "cursor", "vscode"])
async def test_what_a_client_is_told_to_start_starts(installed: Installed, client: str):
    told = json.loads(installed.run(installed.command, "client-config", client, "--json").stdout)["configuration"]
    entry = (told.get("servers") or told["mcpServers"])["wallet"]
    assert entry["command"] == installed.command
    dev = json.loads(installed.run(installed.command, "client-config", client, "--dev", "--json").stdout)
    (table,) = dev["configuration"].values()
    parameters = StdioServerParameters(
        command=table["wallet"]["command"], args=table["wallet"]["args"], env={"HOME": str(installed.folder)}
    )
    async with Client(parameters, mode="legacy") as wallet:
        budget = await wallet.call_tool("check_budget", {})
    assert budget.structured_content is not None
    assert budget.structured_content["remaining"] == ["50000.00"]


def test_examples_and_policies_come_with_it(installed: Installed):
    assert installed.run(installed.command, "examples", "mine").returncode == 0
    for folder in ("examples", "policies"):
        ours = {path.name: path.read_bytes() for path in (ROOT / folder).iterdir() if path.is_file()}
        theirs = {path.name: path.read_bytes() for path in (installed.folder / "mine" / folder).iterdir()}
        assert theirs == ours


def test_the_python_example_that_comes_with_it_pays(installed: Installed):
    installed.run(installed.command, "examples", ".")
    ran = installed.run(str(installed.python), "examples/python_wallet.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("alice 800.00, bob 50.00, mallory 0.00.\n")


def test_the_policies_that_come_with_it_pass_their_own_tests(installed: Installed):
    installed.run(installed.command, "examples", ".")
    tests = sorted(str(path) for path in Path(installed.folder, "policies").glob("*.test.yaml"))
    assert tests
    ran = installed.run(installed.command, "policy", "test", *tests)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("program", ["python_wallet.py", "langchain_agent.py", "langgraph_human.py"])
def test_an_example_runs_where_it_was_written_to(installed: Installed, program: str):
    installed.run(installed.command, "examples", ".")
    ran = installed.run(str(installed.python), f"examples/{program}")
    assert ran.returncode == 0, ran.stderr
    assert "The chain says: " in ran.stdout


def test_the_fingerprint_example_runs_where_it_was_written_to(installed: Installed, node_binary: Path):
    installed.run(installed.command, "examples", ".")
    ran = installed.run(str(node_binary), "examples/fingerprint.mjs")
    assert (ran.returncode, ran.stdout.split()[0]) == (0, "same")


def test_an_agent_of_a_second_framework_pays_through_the_installed_program(installed: Installed):
    installed.run(installed.command, "examples", ".")
    ran = installed.run(str(apart("clients") / "bin" / "python"), "examples/openai_agents.py")
    assert ran.returncode == 0, ran.stderr
    assert "Alice was paid once for order 77." in ran.stdout


async def test_the_server_module_serves_and_its_trail_is_verified_without_the_wallet(installed: Installed):
    installed.run(installed.command, "examples", ".")
    serve = StdioServerParameters(
        command=installed.command,
        args=["serve", "--dev", "--dev-home", "play"],
        env=installed.environ,
        cwd=installed.folder,
    )
    async with Client(serve) as client:
        await client.call_tool("send_payment", {"to": "alice", "amount": "50.00", "reference": "r1"})
    verified = installed.run("/bin/sh", "-c", VERIFY)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    module = StdioServerParameters(
        command=str(installed.python), args=["examples/server.py"], env=installed.environ, cwd=installed.folder
    )
    async with Client(module) as client:
        assert (await client.call_tool("list_payees", {})).is_error is False


@pytest.mark.parametrize("client", ["claude-desktop", "claude-code", "cursor", "vscode"])
async def test_each_clients_configuration_starts_the_installed_program(installed: Installed, client: str):
    ran = installed.run(installed.command, "client-config", client, "--dev", "--json")
    assert ran.returncode == 0, ran.stderr
    block = json.loads(ran.stdout)["configuration"]
    entry = (block.get("mcpServers") or block["servers"])["wallet"]
    assert entry["command"] == installed.command
    bare = {"HOME": str(installed.folder), "PATH": os.defpath} | entry.get("env", {})
    parameters = StdioServerParameters(command=entry["command"], args=entry["args"], env=bare, cwd="/")
    async with Client(parameters, mode="legacy") as connected:
        budget = await connected.call_tool("check_budget", {})
    assert budget.structured_content is not None
    assert budget.structured_content["remaining"] == ["50000.00"]
