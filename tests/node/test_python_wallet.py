"""`PolicyWallet` on a real chain: the same home, gates and trail as behind the MCP server, from Python."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from mcp_wallet import (
    PolicyError,
    PolicyWallet,
    PythonPlayground,
    ReasonCode,
    create_web3_adapter,
    open_playground,
)
from tests.node.faultproxy import FaultProxy
from tests.promises import promise

pytest.importorskip("eth", reason="needs the `devnet` extra")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def play() -> AsyncIterator[PythonPlayground]:
    async with open_playground() as playground:
        yield playground


@asynccontextmanager
async def opened(play: PythonPlayground, **options: Any) -> AsyncIterator[PolicyWallet]:
    adapter = await create_web3_adapter(play.private_key, play.rpc_url)
    given = {"api_key": play.api_key, "metadata": play.metadata, "environ": play.environ}
    async with PolicyWallet(adapter, **(given | options)) as wallet:
        yield wallet


async def moved(play: PythonPlayground, who: str, before: str) -> Decimal:
    """How many dollars somebody has more than before."""
    return Decimal(await play.dollars(who)) - Decimal(before)


async def run(play: PythonPlayground, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run a program of this interpreter in the playground's environment."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        env={**os.environ, **play.environ, "PYTHONPATH": str(ROOT), **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


# -------------------------------------------------------------------------------------------------------------- it pays


async def test_base_units_and_whole_units_pay_what_they_say(play: PythonPlayground):
    before = await play.dollars("alice")
    async with opened(play) as wallet:
        one = await wallet.send(to="alice", amount="50000000", asset="usdc", reference="units")
        two = await wallet.send_human(to="alice", amount="7.25", reference="human")
    assert [(r.status, r.amount, r.replayed) for r in (one, two)] == [
        ("confirmed", "50.00", False),
        ("confirmed", "7.25", False),
    ]
    assert await moved(play, "alice", before) == Decimal("57.25")


async def test_a_wallet_needs_no_context_and_opens_with_its_first_call(play: PythonPlayground):
    adapter = await create_web3_adapter(play.private_key.removeprefix("0x"), play.rpc_url + "/")
    wallet = PolicyWallet(adapter, environ=play.environ)
    assert await wallet.payees() == ("alice", "bob")
    await wallet.close()
    with pytest.raises(PolicyError, match="closed"):
        await wallet.payees()


async def test_without_an_adapter_the_keystore_of_the_home_signs(play: PythonPlayground):
    async with PolicyWallet(environ=play.environ) as wallet:
        paid = await wallet.send_human(to="bob", amount="1.50", reference="from the keystore")
    async with opened(play) as wallet:
        again = await wallet.send_human(to="bob", amount="1.50", reference="from the keystore")
    assert (paid.status, again.payment_id, again.replayed) == ("confirmed", paid.payment_id, True)


async def test_budget_history_and_get_tell_of_a_payment(play: PythonPlayground):
    async with opened(play) as wallet:
        paid = await wallet.send_human(to="bob", amount="3.00", reference="told")
        (entry,) = (await wallet.budget()).entries
        newest, *_ = await wallet.history(limit=1, status="confirmed")
        assert await wallet.get(reference="told") == await wallet.get(payment_id=paid.payment_id)
        simulated = await wallet.simulate(to="mallory", amount="1.00")
    assert (entry.asset, entry.limit, entry.remaining) == ("usdc", "50000.00", paid.remaining)
    assert (newest.payment_id, newest.recipient, newest.amount) == (paid.payment_id, "bob", "3.00")
    assert (simulated.status, simulated.payment_id) == ("denied", "")


@promise("duplicate-reference")
async def test_a_reference_is_paid_once_from_python_too(play: PythonPlayground):
    before = await play.dollars("bob")
    async with opened(play) as wallet:
        payments = [wallet.send_human(to="bob", amount="2.00", reference="once") for _ in range(5)]
        receipts = await asyncio.gather(*payments)
    assert len({receipt.payment_id for receipt in receipts}) == 1
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert await moved(play, "bob", before) == Decimal("2.00")


async def test_what_waits_for_a_person_is_returned_and_not_raised(play: PythonPlayground):
    async with opened(play) as wallet:
        waiting = await wallet.send_human(to="alice", amount="500.01", reference="large")
    assert (waiting.status, waiting.transaction_hash, waiting.final) == ("pending_approval", "", False)


@pytest.mark.parametrize(
    ("payment", "code"),
    [
        ({"to": "alice", "amount": "50.00"}, "AMOUNT_INVALID"),
        ({"to": "alice", "amount": 50}, "AMOUNT_INVALID"),
        ({"to": "carol", "amount": "1"}, "RECIPIENT_UNKNOWN"),
        ({"to": "mallory", "amount": "1"}, "RECIPIENT_NOT_ALLOWED"),
        ({"to": "alice", "amount": "1", "asset": "eth"}, "ASSET_NOT_ALLOWED"),
        ({"to": "alice", "amount": "1000000001"}, "PER_TX_LIMIT_EXCEEDED"),
        ({"to": "alice", "amount": "1", "chain": "base"}, "CHAIN_NOT_ALLOWED"),
    ],
)
async def test_what_is_refused_is_raised_with_its_code_and_pays_nobody(
    play: PythonPlayground, payment: dict[str, Any], code: str
):
    before = await play.dollars("wallet")
    async with opened(play) as wallet:
        with pytest.raises(PolicyError) as refused:
            await wallet.send(**payment)
    assert refused.value.code == code
    assert await play.dollars("wallet") == before


# ------------------------------------------------------------------------------------------------- one home, many doors


async def test_the_mcp_server_of_the_same_home_answers_with_the_payment(play: PythonPlayground):
    async with opened(play) as wallet:
        paid = await wallet.send_human(to="alice", amount="4.00", reference="from python")
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "mcp_wallet", "serve"],
            env={**os.environ, **play.environ, "PYTHONPATH": str(ROOT)},
        )
        async with Client(parameters, mode="legacy") as client:
            again = await client.call_tool(
                "send_payment", {"to": "alice", "amount": "4.00", "reference": "from python"}
            )
    assert again.structured_content is not None
    assert (again.structured_content["payment_id"], again.structured_content["replayed"]) == (paid.payment_id, True)


async def test_the_trail_verifies_and_replays_and_the_key_is_nowhere_in_the_home(play: PythonPlayground):
    async with opened(play) as wallet:
        await wallet.send_human(to="alice", amount="5.00", reference="on the trail")
    operator = {"MCP_WALLET_OPERATOR_TOKEN": play.operator_token}
    for command in (("verify", "--vkey", play.verifier_key), ("replay",)):
        code, out = await run(play, "-m", "mcp_wallet", "audit", *command, "--json", **operator)
        assert (code, json.loads(out)["ok"]) == (0, True)
    secret = play.private_key.removeprefix("0x")
    for path in (path for name in ("HOME", "KEYS_DIR", "STATE_DIR") for path in _files(play.environ, name)):
        assert secret.encode() not in path.read_bytes().lower(), path.name
        assert bytes.fromhex(secret) not in path.read_bytes(), path.name


def _files(environ: Mapping[str, str], name: str) -> list[Path]:
    return [path for path in Path(environ[f"MCP_WALLET_{name}"]).rglob("*") if path.is_file()]


async def test_a_program_that_forgets_to_close_ends_in_order(play: PythonPlayground):
    script = (
        "import asyncio, sys\n"
        "from mcp_wallet import PolicyWallet, create_web3_adapter\n"
        "async def main():\n"
        "    wallet = PolicyWallet(await create_web3_adapter(*sys.argv[1:]))\n"
        "    print((await wallet.send(to='bob', amount='1000000', reference='forgotten')).status)\n"
        "asyncio.run(main())\n"
    )
    code, out = await run(play, "-c", script, play.private_key, play.rpc_url)
    assert (code, out) == (0, "confirmed\n")
    _, trail = await run(play, "-m", "mcp_wallet", "audit", "tail", "--json")
    events = [json.loads(line)["eventType"] for line in trail.splitlines()]
    assert [event for event in events if event != "anchor_published"][-1] == "service_stopped"


# ---------------------------------------------------------------------------------------------------- what must not fit


async def refused_opening(play: PythonPlayground, **options: Any) -> PolicyError:
    with pytest.raises(PolicyError) as refused:
        async with opened(play, **options):
            pass
    return refused.value


@pytest.mark.parametrize("name", ["orgId", "agentId", "environment"])
async def test_metadata_must_equal_what_the_key_says(play: PythonPlayground, name: str):
    error = await refused_opening(play, metadata={**play.metadata, name: "another"})
    assert error.code == ReasonCode.CREDENTIAL_INVALID
    assert f"`{name}`" in error.message


async def test_a_key_that_no_agent_has_is_refused_when_the_wallet_is_opened(play: PythonPlayground):
    error = await refused_opening(play, api_key=play.api_key[:-1] + ("a" if play.api_key[-1] != "a" else "b"))
    assert error.code == ReasonCode.CREDENTIAL_INVALID


async def test_an_operators_token_beside_the_agent_is_refused(play: PythonPlayground):
    error = await refused_opening(play, environ={**play.environ, "MCP_WALLET_OPERATOR_TOKEN": play.operator_token})
    assert error.code == ReasonCode.CONFIG_UNAPPROVED
    assert play.operator_token not in str(error)


async def test_the_key_of_another_account_is_refused(play: PythonPlayground):
    error = await refused_opening(replace(play, private_key="0x" + secrets.token_hex(32)))
    assert error.code == ReasonCode.SIGNER_UNAVAILABLE


async def test_a_node_on_another_chain_is_refused(play: PythonPlayground):
    async with FaultProxy(play.rpc_url, answers={"eth_chainId": "0x2105"}) as proxy:
        error = await refused_opening(replace(play, rpc_url=proxy.url))
    assert error.code == ReasonCode.CHAIN_MISMATCH
    assert error.details == {"observed": "eip155:8453", "expected": "eip155:31337"}


async def test_a_node_that_nobody_approved_is_refused_though_it_is_on_the_chain(play: PythonPlayground):
    async with FaultProxy(play.rpc_url) as proxy:
        error = await refused_opening(replace(play, rpc_url=proxy.url))
        assert {call.method for call in proxy.calls} == {"eth_chainId"}
    assert error.code == ReasonCode.CONFIG_UNAPPROVED
    assert proxy.url not in str(error)


async def test_nothing_that_is_printed_holds_a_secret(play: PythonPlayground):
    adapter = await create_web3_adapter(play.private_key, play.rpc_url)
    shown = f"{play!r} {adapter!r} {PolicyWallet(adapter, api_key=play.api_key)!r}"
    assert adapter.address.startswith("0x")
    for secret in (play.private_key.removeprefix("0x"), play.api_key, play.operator_token):
        assert secret not in shown


# --------------------------------------------------------------------------------------------------------- a playground


async def test_a_playground_takes_another_policy_and_says_what_is_wrong_with_it():
    with pytest.raises(PolicyError) as refused:
        async with open_playground(policy="version: 1\nid: broken\nrules: none\n"):
            pass
    assert refused.value.code == ReasonCode.POLICY_INVALID


async def test_a_playground_says_what_the_chain_shows_of_those_in_it(play: PythonPlayground):
    assert await play.dollars("mallory") == "0.00"
    with pytest.raises(PolicyError, match="ask for wallet, alice, bob, mallory"):
        await play.dollars("carol")
