"""Approve, reject and kill from real processes at one moment: the ledger's order decides, and the trail replays."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.control.agents import add_agent
from mcp_wallet.control.audit.replay import replay_trail
from mcp_wallet.control.policies import propose_policy
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import PaymentRequest, parse_request
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.roles import ALL_ROLES
from mcp_wallet.ports import Actor
from mcp_wallet.wiring.opening import open_home
from tests.trails import FACTS
from tests.unit.control.homes import environment_in, make_home
from tests.unit.doors.commands import environ_of

ALICE = Payee(name="alice", address=Address("0x" + "a1" * 20), category="refund")
POLICY = """
version: 1
id: refunds
rules:
  - id: refund-usdc
    effect: allow
    match: {chains: [local], assets: [usdc], recipients: [alice]}
    perTransaction: {max: "1000.00"}
  - {id: large, effect: requireApproval, match: {amount: {gt: "5.00"}}, approval: {quorum: 1}}
"""
NORA, OMAR = (Actor(kind="operator", name=name) for name in ("nora", "omar"))


async def home_with_an_agent(folder: Path) -> tuple[dict[str, str], str]:
    """Return the tokens of a four-eyes home and its agent's key."""
    founders = dict.fromkeys(("nora", "omar", "pia"), ALL_ROLES)
    made = await make_home(folder, solo=False, founders=founders, payees=(ALICE,))
    path = folder / "refunds.yaml"
    path.write_text(POLICY)
    async with open_home(environment_in(folder)) as home:
        change, _ = await propose_policy(home.ledger, home.settings, path, reason="", actor=NORA)
        await home.ledger.approve_change(change.sequence, reason="", actor=OMAR)
        await home.ledger.put_in_force(change.sequence, actor=NORA)
        agent = await add_agent(
            home.ledger,
            home.settings,
            name="one",
            policy="refunds",
            category="",
            home_key=home.keys.home,
            actor=NORA,
        )
        await home.ledger.approve_change(agent.change.sequence, reason="", actor=OMAR)
    return dict(made.operator_tokens), agent.api_key


async def asked(folder: Path, api_key: str) -> str:
    """Return the id of a payment that waits."""
    async with open_home(environment_in(folder)) as home:
        agent, _, settings = await home.ledger.authenticate(api_key)
        request = PaymentRequest(to="alice", amount="10.00", reference="r-1")
        draft = parse_request(request, agent=agent, registry=settings.registry, book=settings.book)
        decided = await home.ledger.decide_and_reserve(draft, FACTS)
    return decided.record.payment_id


async def command(folder: Path, token: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run an operator's command as a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MCP_WALLET_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "mcp_wallet", *arguments, "--json"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env={**clean, **environ_of(folder), "MCP_WALLET_OPERATOR_TOKEN": token},
    )
    out, _ = await process.communicate()
    return process.returncode or 0, json.loads(out)


@pytest.mark.parametrize("first", ["approve", "reject", "kill"])
async def test_the_later_of_approve_reject_and_kill_is_told_that_it_is_closed(tmp_path, first):
    tokens, api_key = await home_with_an_agent(tmp_path)
    payment_id = await asked(tmp_path, api_key)
    said = {
        "approve": command(tmp_path, tokens["omar"], "approvals", "approve", payment_id),
        "reject": command(tmp_path, tokens["pia"], "approvals", "reject", payment_id, "--reason", "no"),
        "kill": command(tmp_path, tokens["omar"], "kill", "--all", "--reason", "odd"),
    }
    order = sorted(said, key=lambda name: name != first)
    answers = dict(zip(order, await asyncio.gather(*(said[name] for name in order)), strict=True))
    async with open_home(environment_in(tmp_path)) as home:
        record = await home.ledger.payment(agent_id="", payment_id=payment_id)
    assert record is not None
    rejected = record.state is State.REJECTED
    assert (record.state, record.ended_by) in (
        (State.REJECTED, "APPROVAL_REJECTED"),
        (State.RELEASED, "FROZEN"),
    )
    assert answers["kill"][0] == 0
    assert answers["reject"][0] == (0 if rejected else 1)
    for code, answer in (answers["approve"], answers["reject"]):
        assert code == 0 or answer["error"]["code"] == "APPROVAL_CLOSED"
    trail = SqliteTrail(tmp_path / "home" / "ledger.db", key=None)
    report = replay_trail(trail)
    trail.close()
    assert report.mismatches == []
