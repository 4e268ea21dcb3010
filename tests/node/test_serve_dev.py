"""`serve --dev`: the real server on play money, ready by itself, gone without a trace, or kept and found again."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

pytest.importorskip("eth", reason="needs the `devnet` extra")

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def served(*flags: str, **environ: str) -> AsyncIterator[Client]:
    """Give a client of a new `serve --dev`."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_wallet", "serve", "--dev", *flags],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
    )
    async with Client(parameters, mode="legacy") as client:
        yield client


async def call(client: Client, tool: str, **arguments: str) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    assert answer.structured_content is not None
    return dict(answer.structured_content)


async def settled(client: Client, reference: str) -> dict[str, Any]:
    """Return the payment once it is final."""
    while True:
        found = await call(client, "get_payment", reference=reference)
        if found["final"]:
            return found
        await asyncio.sleep(0.05)


async def test_the_playground_pays_refuses_and_asks_as_its_policy_says():
    async with served() as client:
        assert (await call(client, "list_payees"))["payees"] == ["alice", "bob"]
        assert (await call(client, "check_budget"))["remaining"] == ["50000.00"]
        await call(client, "send_payment", to="alice", amount="50.00", reference="r1")
        paid = await settled(client, "r1")
        denied = await call(client, "send_payment", to="mallory", amount="1.00")
        asked = await call(client, "send_payment", to="bob", amount="500.01")
    assert (paid["status"], paid["remaining"]) == ("confirmed", "49950.00")
    assert (denied["status"], asked["status"]) == ("denied", "pending_approval")
    assert "RECIPIENT_NOT_ALLOWED" in denied["reason_codes"]


async def test_a_newcomer_approves_with_what_the_server_said(tmp_path):
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_wallet", "serve", "--dev"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    said = tmp_path / "stderr"
    with said.open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), mode="legacy") as client:
            asked = await call(client, "send_payment", to="alice", amount="600.00", reference="r1")
            named = dict(re.findall(r"(MCP_WALLET_[A-Z_]+)=(\S+)", said.read_text()))
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "mcp_wallet", "approvals", "approve", asked["payment_id"], "--json"),
                env={**os.environ, "PYTHONPATH": str(ROOT), **named},
                stdout=asyncio.subprocess.PIPE,
            )
            await process.communicate()
            paid = await settled(client, "r1")
    assert (asked["status"], process.returncode) == ("pending_approval", 0)
    assert (paid["status"], paid["decision"]) == ("confirmed", "ALLOW")


async def test_nothing_is_left_behind(tmp_path):
    async with served(TMPDIR=str(tmp_path)) as client:
        await call(client, "check_budget")
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


async def test_a_kept_playground_goes_on_where_its_ledger_stands(tmp_path):
    home = ("--dev-home", str(tmp_path / "play"))
    async with served(*home) as client:
        for reference in ("r1", "r2"):
            await call(client, "send_payment", to="alice", amount="50.00", reference=reference)
            await settled(client, reference)
    async with served(*home) as client:
        again = await call(client, "send_payment", to="alice", amount="50.00", reference="r1")
        await call(client, "send_payment", to="bob", amount="7.00", reference="r3")
        paid = await settled(client, "r3")
        budget = await call(client, "check_budget")
    assert (again["replayed"], again["status"]) == (True, "confirmed")
    assert paid["status"] == "confirmed"
    assert budget["remaining"] == ["49893.00"]


async def test_two_servers_share_a_kept_playground_and_its_chain(tmp_path):
    home = ("--dev-home", str(tmp_path / "play"))
    async with served(*home) as one, served(*home) as two:
        paid = await asyncio.gather(
            call(one, "send_payment", to="alice", amount="1.00", reference="one"),
            call(two, "send_payment", to="alice", amount="1.00", reference="two"),
        )
        states = [(await settled(one, r))["status"] for r in ("one", "two")]
    assert {p["decision"] for p in paid} == {"ALLOW"}
    assert states == ["confirmed", "confirmed"]


async def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "playground.json").write_text('{"mine": 1}')
    async with served("--dev-home", str(tmp_path)) as client:
        answer = await client.call_tool("check_budget", {})
    assert answer.is_error
    assert "CONFIG_UNAPPROVED" in str(answer.content)
    assert (tmp_path / "playground.json").read_text() == '{"mine": 1}'


async def test_the_chain_dies_with_a_server_that_is_killed(tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "mcp_wallet", "serve", "--dev", "--dev-home", str(tmp_path / "play")),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said = b""
    while b"development chain at" not in said:
        said = await process.stderr.readline()
    port = int(re.search(rb"127\.0\.0\.1:(\d+)", said)[1])  # type: ignore[index]
    process.send_signal(signal.SIGKILL)
    await process.wait()
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        writer.close()
        await asyncio.sleep(0.05)
    pytest.fail("the development chain still listens")
