"""Without solo, one person alone can loosen nothing; with two, each step stands on the trail."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.roles import ALL_ROLES
from mcp_wallet.wiring.opening import open_home
from tests.promises import promise
from tests.unit.control.homes import environment_in, make_home
from tests.unit.doors.commands import ALICE, BOB, POLICY, Commands, Ran, environ_of, policy_in

PAYEES = (Payee(name="alice", address=Address(ALICE.lower()), category="refund"),)
WIDER = POLICY.replace("5000.00", "9000.00")


class Pair:
    """Two founders of one home, each with a command line."""

    def __init__(self, folder: Path) -> None:
        made = asyncio.run(
            make_home(folder, solo=False, founders={"nora": ALL_ROLES, "omar": ALL_ROLES}, payees=PAYEES)
        )
        self.folder = folder
        self.tokens = dict(made.operator_tokens)

    def __call__(self, who: str, *arguments: str) -> Ran:
        token = self.tokens[who]
        return Commands({**environ_of(self.folder), "MCP_WALLET_OPERATOR_TOKEN": token})(*arguments, "--json")

    def code(self, who: str, *arguments: str) -> str:
        """Return the reason code of a command that must refuse."""
        ran = self(who, *arguments)
        assert ran.code == 1
        return str(ran.document["error"]["code"])

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the events of these kinds, in order."""
        trail = SqliteTrail(self.folder / "home" / "ledger.db", key=None)
        try:
            bodies = [orjson.loads(body) for _, _, body in trail.rows()]
        finally:
            trail.close()
        return [body for body in bodies if body["eventType"] in kinds]

    def in_force(self, policy: str) -> None:
        """Put a policy in force, with four eyes."""
        assert self("nora", "policy", "propose", policy, "--reason", "first").code == 0
        assert self("omar", "policy", "approve", "refunds", "--reason", "looked").code == 0
        assert self("nora", "policy", "activate", "refunds").code == 0


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


@promise("four-eyes")
def test_one_person_alone_cannot_put_a_policy_in_force(pair, tmp_path):
    assert pair("nora", "policy", "propose", policy_in(tmp_path)).document["state"] == "proposed"
    assert pair.code("nora", "policy", "activate", "refunds") == "SECOND_PERSON_REQUIRED"
    assert pair.code("nora", "policy", "approve", "refunds") == "SECOND_PERSON_REQUIRED"
    assert pair("nora", "policy", "show").document["policies"] == []


@promise("four-eyes")
def test_one_person_alone_can_add_neither_payee_nor_agent_nor_person(pair, tmp_path):
    pair.in_force(policy_in(tmp_path))
    for command in (
        ("payee", "add", "bob", BOB),
        ("agent", "add", "one", "--policy", "refunds"),
        ("operator", "add", "pia", "--role", "approver"),
        ("operator", "roles", "omar", "--role", "admin"),
    ):
        proposed = pair("nora", *command)
        assert (proposed.code, proposed.document["state"]) == (0, "proposed"), command
        assert pair.code("nora", "approvals", "approve", proposed.document["changeId"]) == "SECOND_PERSON_REQUIRED"
    assert [p["name"] for p in pair("nora", "payee", "list").document["payees"]] == ["alice"]
    assert pair("nora", "agent", "list").document["agents"] == []
    assert [o["name"] for o in pair("nora", "operator", "list").document["operators"]] == ["nora", "omar"]


@promise("four-eyes")
def test_what_was_stopped_is_released_by_two(pair):
    pair("nora", "kill", "--all", "--reason", "odd")
    proposed = pair("nora", "unkill", "--all", "--reason", "looked")
    assert proposed.document["released"] == []
    change = proposed.document["proposed"][0]["changeId"]
    assert pair.code("nora", "approvals", "approve", change) == "SECOND_PERSON_REQUIRED"
    assert pair("omar", "approvals", "approve", change).document["state"] == "active"
    assert pair("nora", "unkill", "--all", "--reason", "again").code == 1


def test_with_two_each_step_says_who_when_why_and_what_it_does(pair, tmp_path):
    pair.in_force(policy_in(tmp_path))
    proposed, approved, activated = pair.events("policy_proposed", "policy_approved", "policy_activated")
    assert [e["actor"]["name"] for e in (proposed, approved, activated)] == ["nora", "omar", "nora"]
    assert [e["reason"] for e in (proposed, approved, activated)] == ["first", "looked", "first"]
    assert {e["classification"] for e in (proposed, approved, activated)} == {"loosens"}
    assert activated["proposedBy"] == "nora"
    assert activated["approvedBy"] == ["omar"]
    assert all(e["timestamp"] for e in (proposed, approved, activated))
    assert all("separationOfDuties" not in e for e in (proposed, approved, activated))


def test_with_two_a_payee_an_agent_and_a_person_come_in_force_with_the_approval(pair, tmp_path):
    pair.in_force(policy_in(tmp_path))
    for command, listing in (
        (("payee", "add", "bob", BOB, "--reason", "a customer"), ("payee", "list")),
        (("agent", "add", "one", "--policy", "refunds", "--reason", "refunds"), ("agent", "list")),
        (("operator", "add", "pia", "--role", "approver", "--reason", "holidays"), ("operator", "list")),
    ):
        change = pair("nora", *command).document["changeId"]
        assert pair("omar", "approvals", "approve", change, "--reason", "known").document["state"] == "active"
        assert command[2] in pair("nora", *listing).out
    for kind in ("payee_added", "agent_created", "operator_created"):
        assert pair.events(kind)[-1]["actor"]["name"] == "omar"


def test_a_key_opens_nothing_before_the_agent_is_approved(pair, tmp_path):
    pair.in_force(policy_in(tmp_path))
    made = pair("nora", "agent", "add", "one", "--policy", "refunds").document

    async def is_good() -> bool:
        async with open_home(environment_in(tmp_path)) as home:
            try:
                agent, _, _ = await home.ledger.authenticate(made["apiKey"])
            except CallerError:
                return False
            return agent.agent_id == "one"

    assert not asyncio.run(is_good())
    pair("omar", "approvals", "approve", made["changeId"])
    assert asyncio.run(is_good())


def test_a_new_person_counts_as_the_second_only_after_a_day(pair, tmp_path):
    made = pair("nora", "operator", "add", "pia", "--role", "approver").document
    pair("omar", "approvals", "approve", made["changeId"])
    pair.tokens["pia"] = made["token"]
    change = pair("nora", "payee", "add", "bob", BOB).document["changeId"]
    assert pair.code("pia", "approvals", "approve", change) == "SECOND_PERSON_REQUIRED"
    raw = sqlite3.connect(tmp_path / "home" / "ledger.db")
    raw.execute("UPDATE operator SET created_at_ms = created_at_ms - 86400000 WHERE name = 'pia'")
    raw.commit()
    raw.close()
    assert pair("pia", "approvals", "approve", change).document["state"] == "active"


def test_roles_are_held_to(pair):
    for name, role in (("vera", "viewer"), ("otto", "operator"), ("ada", "auditor")):
        made = pair("nora", "operator", "add", name, "--role", role).document
        pair("omar", "approvals", "approve", made["changeId"])
        pair.tokens[name] = made["token"]
    assert pair("vera", "payments", "list").code == 0
    assert pair.code("vera", "payee", "add", "bob", BOB) == "PERMISSION_DENIED"
    assert pair.code("vera", "kill", "--all", "--reason", "x") == "PERMISSION_DENIED"
    assert pair("otto", "kill", "--all", "--reason", "x").code == 0
    assert pair.code("otto", "unkill", "--all", "--reason", "x") == "PERMISSION_DENIED"
    assert pair.code("otto", "operator", "add", "eve", "--role", "admin") == "PERMISSION_DENIED"
    change = pair("otto", "payee", "add", "bob", BOB).document["changeId"]
    assert pair.code("ada", "approvals", "approve", change) == "PERMISSION_DENIED"


def test_a_disabled_person_can_do_nothing_at_once(pair):
    assert pair("nora", "operator", "disable", "omar", "--reason", "left").code == 0
    assert pair.code("omar", "payments", "list") == "CREDENTIAL_REVOKED"
    assert pair.code("nora", "operator", "disable", "nora", "--reason", "oops") == "PERMISSION_DENIED"


def test_one_rejection_ends_a_proposal(pair, tmp_path):
    pair("nora", "policy", "propose", policy_in(tmp_path))
    rejected = pair("omar", "policy", "reject", "refunds", "--reason", "too wide").document
    assert rejected["state"] == "rejected"
    assert pair.code("omar", "policy", "approve", "refunds") == "APPROVAL_CLOSED"
    assert pair.code("nora", "policy", "activate", "refunds") == "APPROVAL_CLOSED"
    assert pair.events("policy_rejected")[0]["reason"] == "too wide"


def test_what_was_compared_with_an_older_version_is_proposed_again(pair, tmp_path):
    pair.in_force(policy_in(tmp_path))
    pair("nora", "policy", "propose", policy_in(tmp_path, WIDER))
    pair("nora", "policy", "propose", policy_in(tmp_path, POLICY.replace("5000.00", "7000.00")))
    pair("omar", "policy", "approve", "refunds", "--version", "2")
    pair("omar", "policy", "approve", "refunds", "--version", "3")
    assert pair("nora", "policy", "activate", "refunds", "--version", "3").code == 0
    assert pair.code("nora", "policy", "activate", "refunds", "--version", "2") == "POLICY_CHANGED"


def test_versions_are_numbered_kept_and_can_come_back(pair, tmp_path):
    pair.in_force(policy_in(tmp_path))
    pair.in_force(policy_in(tmp_path, WIDER))
    change = pair("nora", "policy", "rollback", "refunds", "--reason", "too wide").document
    if change["state"] == "proposed":
        pair("omar", "policy", "approve", "refunds", "--version", "1")
        pair("nora", "policy", "activate", "refunds", "--version", "1")
    versions = pair("nora", "policy", "history", "refunds").document["versions"]
    assert [(v["version"], v["state"], len(v["activatedAt"])) for v in versions] == [
        ("1", "active", 2),
        ("2", "superseded", 1),
    ]
    assert pair.events("policy_rolled_back")[0]["version"] == "1"


def test_a_proposal_whose_own_cases_fail_is_not_made(pair, tmp_path):
    path = Path(policy_in(tmp_path))
    path.with_name("refunds.test.yaml").write_text(
        f"policy: refunds.yaml\npayees: {{alice: '{ALICE}'}}\n"
        "cases:\n  - name: too much\n    now: '2026-03-10T12:00:00Z'\n"
        "    payment: {agent: a, chain: local, asset: usdc, to: alice, amount: '1000.01'}\n"
        "    expect: {decision: ALLOW}\n"
    )
    ran = pair("nora", "policy", "propose", str(path))
    assert (ran.code, ran.document["error"]["code"]) == (1, "POLICY_INVALID")
    assert "too much" in ran.document["error"]["details"]["problems"]
    assert pair.events("policy_proposed") == []


def test_settings_come_in_force_by_proposal_alone(pair, tmp_path):
    toml = tmp_path / "home" / "wallet.toml"
    before = pair("nora", "config", "show").document
    toml.write_text(toml.read_text().replace(str(10**16), str(10**15)).replace("10m", "5m"))
    shown = pair("nora", "config", "show").document
    assert shown["settingsHash"] == before["settingsHash"]
    assert shown["unapproved"] == ["chains", "deduplicationWindow"]
    proposed = pair("nora", "config", "propose", "--reason", "cheaper").document
    assert proposed["classification"] == "both"
    assert pair.code("nora", "config", "apply") == "SECOND_PERSON_REQUIRED"
    pair("omar", "config", "approve")
    assert pair("nora", "config", "apply").document["settingsVersion"] == "2"
    assert pair("nora", "config", "show").document["unapproved"] == []


def test_settings_that_only_tighten_need_nobody(pair, tmp_path):
    toml = tmp_path / "home" / "wallet.toml"
    toml.write_text(toml.read_text().replace(str(10**16), str(10**15)))
    assert pair("nora", "config", "propose").document["classification"] == "tightens"
    assert pair("nora", "config", "apply").code == 0


def test_nobody_goes_back_to_solo(pair, tmp_path):
    toml = tmp_path / "home" / "wallet.toml"
    toml.write_text(toml.read_text().replace("solo = false", "solo = true"))
    assert pair.code("nora", "config", "propose") == "CONFIG_UNAPPROVED"


def test_an_agent_moves_to_another_policy_by_two(pair, tmp_path):
    pair.in_force(policy_in(tmp_path))
    change = pair("nora", "agent", "add", "one", "--policy", "refunds").document["changeId"]
    pair("omar", "approvals", "approve", change)
    other = tmp_path / "other.yaml"
    other.write_text(POLICY.replace("id: refunds", "id: small").replace("5000.00", "1000.00"))
    pair("nora", "policy", "propose", str(other))
    pair("omar", "policy", "approve", "small")
    pair("nora", "policy", "activate", "small")
    bound = pair("nora", "agent", "bind", "one", "--policy", "small").document
    assert (bound["state"], pair("nora", "agent", "list").document["agents"][0]["policyId"]) == ("proposed", "refunds")
    pair("omar", "approvals", "approve", bound["changeId"])
    assert pair("nora", "agent", "list").document["agents"][0]["policyId"] == "small"


async def _opens(folder: Path, api_key: str) -> str:
    async with open_home(environment_in(folder)) as home:
        try:
            await home.ledger.authenticate(api_key)
        except CallerError as error:
            return str(error.code)
    return "open"


def test_keys_are_rotated_with_grace_revoked_and_disabled_at_once(pair, tmp_path):
    pair.in_force(policy_in(tmp_path))
    made = pair("nora", "agent", "add", "one", "--policy", "refunds").document
    pair("omar", "approvals", "approve", made["changeId"])
    old, new = made["apiKey"], pair("nora", "agent", "rotate", "one", "--grace", "1h").document["apiKey"]
    assert [asyncio.run(_opens(tmp_path, key)) for key in (old, new)] == ["open", "open"]
    assert len(pair("nora", "agent", "review").document["agents"][0]["keys"]) == 2
    assert pair("omar", "agent", "revoke", "one", "--key", made["keyId"], "--reason", "seen in a log").code == 0
    assert [asyncio.run(_opens(tmp_path, key)) for key in (old, new)] == ["CREDENTIAL_REVOKED", "open"]
    assert pair("omar", "agent", "disable", "one", "--reason", "done").code == 0
    assert asyncio.run(_opens(tmp_path, new)) == "CREDENTIAL_REVOKED"
    assert pair.code("nora", "agent", "rotate", "one") == "CREDENTIAL_REVOKED"


def test_a_review_stands_on_the_trail_with_what_was_seen(pair):
    assert pair("nora", "operator", "review").document["recorded"] is False
    assert pair("nora", "operator", "review", "--note", "all as it should be").document["recorded"] is True
    (review,) = pair.events("access_review_completed")
    assert (review["actor"]["name"], review["reviewed"], review["note"]) == (
        "nora",
        ["nora", "omar"],
        "all as it should be",
    )
