"""Changing what decides while payments are decided, and what on disk changes nothing."""

import asyncio
from pathlib import Path
from typing import Any

import orjson

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.control.agents import add_agent
from mcp_wallet.control.audit.replay import replay_trail
from mcp_wallet.control.policies import propose_policy
from mcp_wallet.control.policy_files import load_policy_file
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import PaymentRequest, parse_request
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Actor, Approved, Denied
from mcp_wallet.wiring.opening import open_home
from tests.trails import FACTS, decide
from tests.unit.control.homes import environment_in, make_home
from tests.worlds import OPERATOR, REFUND_POLICY, ledger_world, policy_document, reopen

CALLERS = 16
EACH = 12
OWNER = Actor(kind="operator", name="owner")
ALICE = Payee(name="alice", address=Address("0x" + "a1" * 20), category="refund")
LISTED = """
version: 1
id: refunds
lists:
  customers: {file: customers.txt}
rules:
  - id: refund-usdc
    effect: allow
    match: {chains: [local], assets: [usdc], recipients: {list: customers}}
    perTransaction: {max: "1000.00"}
"""


def decisions(path: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the decisions and, per version, the hash that was activated."""
    trail = SqliteTrail(path, key=None)
    try:
        events = [orjson.loads(body) for _, _, body in trail.rows()]
        report = replay_trail(trail)
    finally:
        trail.close()
    assert report.mismatches == []
    assert report.ok
    activated = {e["version"]: e["policyHash"] for e in events if e["eventType"] == "policy_activated"}
    return [e for e in events if e["eventType"] == "policy_decision"], activated


async def test_while_sixteen_callers_pay_each_decision_carries_one_version_and_its_hash(tmp_path):
    world = await ledger_world(tmp_path / "ledger.db")
    other = await reopen(world)  # as another process has it
    versions = [policy_document(REFUND_POLICY.replace("50000", str(40_000 + n)), world.settings) for n in range(6)]

    async def pays(caller: int) -> None:
        for n in range(EACH):
            await decide(world, f"r-{caller}-{n}", amount="0.01")

    async def changes() -> None:
        for document in versions:
            await other.activate_policy("refunds", document, actor=OPERATOR)

    await asyncio.gather(*(pays(caller) for caller in range(CALLERS)), changes())
    await world.ledger.close()
    await other.close()
    made, activated = decisions(world.path)
    assert len(made) == CALLERS * EACH
    assert len(activated) == 1 + len(versions)
    assert {(e["policy"]["version"], e["policy"]["hash"]) for e in made} <= set(activated.items())
    at_versions = [int(e["policy"]["version"]) for e in made]
    assert at_versions == sorted(at_versions)  # nobody decides by an older version after a newer one
    assert all(e["settings"]["version"] == "1" for e in made)


async def test_an_activation_counts_for_the_next_decision_of_another_process(tmp_path):
    world = await ledger_world(tmp_path / "ledger.db")
    other = await reopen(world)
    assert isinstance(await decide(world, "r-1", amount="400.00"), Approved)
    document = policy_document(REFUND_POLICY.replace('max: "1000.00"', 'max: "300.00"'), world.settings)
    await other.activate_policy("refunds", document, actor=OPERATOR)
    refused = await decide(world, "r-2", amount="400.00")
    assert isinstance(refused, Denied)
    assert ReasonCode.PER_TX_LIMIT_EXCEEDED in {r.code for r in refused.record.reasons}
    await other.close()
    await world.ledger.close()


async def _outcome(folder: Path, api_key: str, reference: str, to: str) -> str:
    async with open_home(environment_in(folder)) as home:
        agent, _, settings = await home.ledger.authenticate(api_key)
        request = PaymentRequest(to=to, amount="1.00", reference=reference)
        try:
            draft = parse_request(request, agent=agent, registry=settings.registry, book=settings.book)
        except CallerError as error:
            return str(error.code)
        decided = await home.ledger.decide_and_reserve(draft, FACTS)
    return str(decided.record.outcome)


async def test_files_on_disk_decide_nothing_until_they_were_proposed_and_activated(tmp_path):
    await make_home(tmp_path, payees=(ALICE,))
    policy, customers = tmp_path / "refunds.yaml", tmp_path / "customers.txt"
    bob = "0x" + "b0" * 20
    policy.write_text(LISTED)
    customers.write_text("alice\n")
    async with open_home(environment_in(tmp_path)) as home:
        loaded = load_policy_file(policy, registry=home.settings.registry, book=home.settings.book)
        made = await add_agent(
            home.ledger,
            home.settings,
            name="one",
            policy=loaded,
            category="",
            home_key=home.keys.home,
            actor=OWNER,
        )
    assert await _outcome(tmp_path, made.api_key, "r-1", "alice") == "ALLOW"
    customers.write_text(f"alice\n{bob}\n")
    policy.write_text(LISTED.replace("1000.00", "0.50"))
    toml = tmp_path / "home" / "wallet.toml"
    toml.write_text(toml.read_text() + "\n# a note\n")
    assert await _outcome(tmp_path, made.api_key, "r-2", bob) == "DENY"
    assert await _outcome(tmp_path, made.api_key, "r-3", "alice") == "ALLOW"
    policy.write_text(LISTED)
    async with open_home(environment_in(tmp_path)) as home:
        change, _ = await propose_policy(home.ledger, home.settings, policy, reason="a customer", actor=OWNER)
    assert await _outcome(tmp_path, made.api_key, "r-4", bob) == "DENY"
    async with open_home(environment_in(tmp_path)) as home:
        await home.ledger.put_in_force(change.sequence, actor=OWNER)
    assert await _outcome(tmp_path, made.api_key, "r-5", bob) == "ALLOW"
