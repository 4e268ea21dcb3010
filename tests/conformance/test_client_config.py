"""Does a client that does exactly what `client-config` prints get a wallet that answers?"""

import asyncio
import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from mcp_wallet.control.clients import CLIENTS, PLACEHOLDER, ClientName
from tests.conformance.mcp_door import text_of
from tests.unit.doors.commands import Commands, Ran, environ_of, operator_at, policy_in

ROOT = Path(__file__).parents[2]
INHERITED = ("HOME", "PATH", "LANG", "TMPDIR")
"""What a client passes on beside the block; a checkout that is not installed also needs to be found."""


def entry_of(ran: Ran, client: ClientName, name: str = "wallet") -> Any:
    """Return the server's entry in the printed block, found the way the client finds it."""
    assert ran.code == 0, ran.err
    return ran.document["configuration"][CLIENTS[client].table][name]


def budget_of(entry) -> str:
    """Start the server as the entry says, and return what check_budget says."""
    return asyncio.run(_budget_of(entry))


async def _budget_of(entry) -> str:
    environ = {name: os.environ[name] for name in INHERITED if name in os.environ} | {"PYTHONPATH": str(ROOT)}
    parameters = StdioServerParameters(
        command=entry["command"], args=entry["args"], env=environ | entry.get("env", {}), cwd="/"
    )
    async with Client(parameters, mode="legacy") as client:
        return text_of(await client.call_tool("check_budget", {}))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with an agent: its places, and the agent's key."""
    tmp_path = tmp_path_factory.mktemp("wallet")
    owner, _ = operator_at(tmp_path)
    owner("payee", "add", "alice", "0xa11ce00000000000000000000000000000000001")
    added = owner("agent", "add", "refunds", "--policy", policy_in(tmp_path), "--json")
    return Commands(environ_of(tmp_path)), added.document["apiKey"]


@pytest.mark.parametrize("client", ClientName)
def test_every_client_reaches_the_home_with_its_agents_key(home, client):
    commands, key = home
    ran = commands("client-config", client, "--agent-key", key, "--json")
    assert "24h rolling" in budget_of(entry_of(ran, client))


def test_every_client_gets_a_playground(tmp_path):
    pytest.importorskip("eth", reason="needs the `devnet` extra")
    commands = Commands(environ_of(tmp_path))
    entries = [entry_of(commands("client-config", client, "--dev", "--json"), client) for client in ClientName]
    assert {(entry["command"], *entry["args"], len(entry.get("env", {}))) for entry in entries} == {
        (entries[0]["command"], *entries[0]["args"], 0)
    }  # what one of them starts, all start
    assert "50000.00" in budget_of(entries[0])


def test_the_printed_text_holds_the_same_block(home):
    commands, key = home
    told = commands("client-config", "cursor", MCP_WALLET_AGENT_KEY=key).out
    block = told[told.index("{") : told.rindex("}") + 1]
    assert (
        json.loads(block) == commands("client-config", "cursor", "--agent-key", key, "--json").document["configuration"]
    )
    assert "~/.cursor/mcp.json" in told


def test_the_command_is_absolute(home):
    commands, _ = home
    entry = entry_of(commands("client-config", "vscode", "--json"), ClientName.VSCODE)
    assert Path(str(entry["command"])).is_absolute()
    assert entry["type"] == "stdio"


def test_without_a_key_there_is_a_placeholder_and_a_way_to_a_key(home):
    commands, _ = home
    ran = commands("client-config", "claude-desktop", "--json")
    assert entry_of(ran, ClientName.CLAUDE_DESKTOP)["env"]["MCP_WALLET_AGENT_KEY"] == PLACEHOLDER
    assert any("mcp-wallet agent add" in note for note in ran.document["notes"])


def test_a_placeholder_opens_nothing_and_says_why(home):
    commands, _ = home
    entry = entry_of(commands("client-config", "cursor", "--json"), ClientName.CURSOR)
    assert budget_of(entry).startswith("CREDENTIAL_INVALID: ")


def test_what_is_no_key_is_refused_and_not_repeated(home):
    commands, _ = home
    ran = commands("client-config", "cursor", "--agent-key", "mwop_secret")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("CREDENTIAL_INVALID: ")
    assert "mwop_secret" not in ran.err


def test_without_a_home_it_says_how_to_make_one(tmp_path):
    ran = Commands(environ_of(tmp_path))("client-config", "cursor")
    assert ran.code == 0
    assert "mcp-wallet init" in ran.out


def test_a_folder_for_the_playground_needs_the_playground(tmp_path):
    commands = Commands(environ_of(tmp_path))
    assert commands("client-config", "cursor", "--dev-home", "play").code == 2
    entry = entry_of(commands("client-config", "cursor", "--dev", "--dev-home", "play", "--json"), ClientName.CURSOR)
    assert entry["args"][-1] == str(Path.cwd() / "play")


def test_claude_code_can_add_the_server_itself(home):
    commands, key = home
    found = commands("client-config", "claude-code", "--agent-key", key, "--name", "my wallet", "--json").document
    *_, name, entry = shlex.split(found["command"])
    assert found["configuration"]["mcpServers"] == {name: json.loads(entry)}


def test_a_read_only_server_is_started_read_only(home):
    commands, _ = home
    entry = entry_of(commands("client-config", "cursor", "--read-only", "--json"), ClientName.CURSOR)
    assert entry["args"][-2:] == ["serve", "--read-only"]
