"""The operator's commands, each with its document and its exit code."""

import asyncio
from pathlib import Path

import pytest

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import PaymentRequest, parse_request
from mcp_wallet.core.payees import Payee
from mcp_wallet.ports import Denied
from mcp_wallet.wiring.opening import open_home
from tests.unit.control.homes import environment_in
from tests.unit.doors.commands import ALICE, BOB, Commands, environ_of, operator_at, policy_in

PAYEES = (Payee(name="alice", address=Address(ALICE.lower()), category="refund"),)


@pytest.fixture
def owner(tmp_path: Path) -> Commands:
    return operator_at(tmp_path, payees=PAYEES)[0]


def test_init_prints_each_secret_once_and_says_what_comes_next(tmp_path):
    ran = Commands(environ_of(tmp_path))("init", "--solo", "--chain", "local", "--node", "http://127.0.0.1:1")
    assert ran.code == 0
    assert ran.out.count("mwop_") == 1
    assert "publish it elsewhere" in ran.out
    assert "mcp-wallet agent add" in ran.out


def test_init_gives_programs_one_document(tmp_path):
    ran = Commands(environ_of(tmp_path))("init", "--solo", "--plaintext", "--json")
    assert ran.document["verifierKey"].startswith(f"mcp-wallet/{ran.document['orgId']}/log_")
    assert ran.document["operatorToken"].startswith("mwop_")
    assert ran.document["plaintext"] is True


def test_init_leaves_an_existing_home_alone(owner):
    ran = owner("init", "--json")
    assert (ran.code, ran.document["error"]["code"]) == (1, "CONFIG_UNAPPROVED")


def test_init_gives_each_chain_its_own_nodes(tmp_path):
    commands = Commands(environ_of(tmp_path))
    nodes = (
        "--node",
        "https://one.example",
        "--node",
        "base=https://two.example",
        "--node",
        "base=https://three.example",
    )
    token = commands("init", "--chain", "ethereum", "--chain", "base", *nodes, "--json").document["operatorToken"]
    chains = commands("config", "show", "--json", MCP_WALLET_OPERATOR_TOKEN=token).document["document"]["source"][
        "chains"
    ]
    assert chains["ethereum"]["nodes"] == ["https://one.example"]
    assert chains["base"]["nodes"] == ["https://two.example", "https://three.example"]


@pytest.mark.parametrize("flags", [("--chain", "base"), ("--node", "https://one.example"), ("--max-fee-wei", "0")])
def test_init_with_flags_that_do_not_fit_is_a_usage_error(tmp_path, flags):
    assert Commands(environ_of(tmp_path))("init", *flags).code == 2


def test_an_imported_key_file_must_be_closed_to_others(tmp_path):
    key = tmp_path / "key"
    key.write_text("0x" + "11" * 32)
    ran = Commands(environ_of(tmp_path))("init", "--import-key-file", str(key))
    assert ran.code == 1
    assert "permissions to 0600" in ran.err
    assert "11" * 32 not in ran.out + ran.err


def test_control_commands_need_a_valid_token(owner, tmp_path):
    for command in (("payee", "list"), ("agent", "list"), ("payments", "list"), ("budget",), ("config", "show")):
        assert owner(*command, "--json", MCP_WALLET_OPERATOR_TOKEN="").document["error"]["code"] == "CREDENTIAL_INVALID"
        assert owner(*command, MCP_WALLET_OPERATOR_TOKEN="mwop_x_" + "a" * 52).code == 1
    events = asyncio.run(_head(tmp_path))
    assert events >= 5  # each wrong token stands on the trail


async def _head(folder):
    async with open_home(environment_in(folder)) as home:
        return (await home.ledger.head()).size


def test_a_payee_is_a_new_version_of_the_settings(owner):
    ran = owner("payee", "add", "bob", BOB, "--category", "refund", "--json")
    assert (ran.code, ran.document["settingsVersion"]) == (0, "2")
    assert [p["name"] for p in owner("payee", "list", "--json").document["payees"]] == ["alice", "bob"]
    gone = owner("payee", "remove", "bob", "--json").document
    assert (gone["address"], gone["settingsVersion"]) == (BOB, "3")


def test_adding_a_payee_does_not_unapprove_the_settings_file(owner):
    owner("payee", "add", "bob", BOB)
    assert owner("config", "show", "--json").document["unapproved"] == []


@pytest.mark.parametrize(
    ("name", "address", "code"),
    [
        ("alice", BOB, "RECIPIENT_INVALID"),
        ("Bob", BOB, "RECIPIENT_INVALID"),
        ("bob", "0x" + "0" * 40, "RECIPIENT_INVALID"),
        ("bob", BOB.replace("b0b", "B0b"), "RECIPIENT_INVALID"),
        ("bob", "0x700b6A60ce7EaaEA56F065753d8dcB9653dbAD35", "RECIPIENT_INVALID"),
        ("bob", "0xa11" + "f" * 33 + "0001", "RECIPIENT_LOOKALIKE"),
    ],
)
def test_what_is_no_payee_is_refused_with_its_code(owner, name, address, code):
    ran = owner("payee", "add", name, address, "--json")
    assert (ran.code, ran.document["error"]["code"]) == (1, code)


def test_the_wallet_is_no_payee_of_its_own(owner):
    address = owner("wallet", "address").out.strip()
    assert owner("payee", "add", "me", address, "--json").document["error"]["code"] == "RECIPIENT_INVALID"


def test_an_agent_gets_its_key_once_and_is_known_by_its_id(owner, tmp_path):
    made = owner("agent", "add", "refund-processor", "--policy", policy_in(tmp_path), "--json").document
    assert made["apiKey"].startswith(f"mw_production_{made['keyId']}_")
    listed = owner("agent", "list", "--json")
    assert [a["agentId"] for a in listed.document["agents"]] == ["refund-processor"]
    assert made["apiKey"] not in listed.out


def test_two_agents_of_one_name_are_refused_before_anything_changes(owner, tmp_path):
    owner("agent", "add", "one", "--policy", policy_in(tmp_path))
    other = policy_in(tmp_path, Path(policy_in(tmp_path)).read_text().replace("5000.00", "6000.00"))
    assert owner("agent", "add", "one", "--policy", other, "--json").document["error"]["code"] == "INTENT_INVALID"
    assert owner("policy", "show", "--json").document["policies"][0]["version"] == "1"


def test_a_second_agent_says_whom_else_the_new_version_binds(owner, tmp_path):
    owner("agent", "add", "one", "--policy", policy_in(tmp_path))
    assert owner("agent", "add", "two", "--policy", policy_in(tmp_path), "--json").document["alsoBound"] == ["one"]


def test_a_policy_that_does_not_load_says_every_problem_with_its_place(owner, tmp_path):
    path = policy_in(
        tmp_path, Path(policy_in(tmp_path)).read_text().replace("[alice]", "[alcie]").replace("usdc]", "usdx]")
    )
    ran = owner("agent", "add", "one", "--policy", path, "--json")
    assert ran.document["error"]["code"] == "POLICY_INVALID"
    assert ran.document["error"]["details"]["problems"].count("refunds.yaml:") >= 2
    checked = owner("policy", "validate", path, "--json")
    assert (checked.code, checked.document["ok"]) == (1, False)


def test_validate_and_schema_need_neither_home_nor_token(tmp_path):
    text = Path(policy_in(tmp_path)).read_text().replace("[alice]", f'["{ALICE}"]')
    commands = Commands(environ_of(tmp_path))
    assert commands("policy", "validate", policy_in(tmp_path, text), "--json").document["ok"] is True
    assert "$defs" in commands("policy", "schema").document


def test_policy_show_prints_what_was_resolved(owner, tmp_path):
    owner("agent", "add", "one", "--policy", policy_in(tmp_path))
    shown = owner("policy", "show", "refunds", "--json").document
    assert shown["document"]["rules"][0]["match"]["recipients"] == [ALICE.lower()]
    assert owner("policy", "show", "nothing").code == 1


def test_kill_freezes_by_the_names_people_use_and_unkill_releases(owner, tmp_path):
    owner("agent", "add", "one", "--policy", policy_in(tmp_path))
    named = ("--agent", "one", "--asset", "usdc", "--chain", "local", "--recipient", "alice", "--all")
    frozen = owner("kill", *named, "--reason", "drill", "--json").document["frozen"]
    assert {row["kind"] for row in frozen} == {"agent", "asset", "chain", "recipient", "all"}
    released = owner("unkill", "--all", "--reason", "over", "--json").document
    assert released["released"] == [{"kind": "all", "value": ""}]
    assert {"kind": "chain", "value": "eip155:31337", "reason": "drill"} in released["stillFrozen"]


@pytest.mark.parametrize("flags", [(), ("--agent", "nobody"), ("--asset", "gold"), ("--recipient", "nobody")])
def test_a_switch_that_would_stop_nothing_does_not_look_engaged(owner, flags):
    assert owner("kill", *flags, "--reason", "x").code == 1


def test_releasing_what_was_not_frozen_is_a_refusal(owner):
    assert owner("unkill", "--all", "--reason", "x").code == 1


def test_a_reason_is_required_and_visible(owner):
    assert owner("kill", "--all").code == 2
    assert owner("kill", "--all", "--reason", "a\x1b[2Jb").code == 1


async def _denied(folder, api_key):
    async with open_home(environment_in(folder)) as home:
        agent, _, settings = await home.ledger.authenticate(api_key)
        request = PaymentRequest(to=BOB, amount="5.00", reference="[bold]hi[/bold]")
        draft = parse_request(request, agent=agent, registry=settings.registry, book=settings.book)
        denied = await home.ledger.preview(draft)
        assert isinstance(denied, Denied)
        return denied.record.payment_id


def test_payments_show_what_the_agent_wrote_as_data(owner, tmp_path):
    made = owner("agent", "add", "one", "--policy", policy_in(tmp_path), "--json").document
    payment_id = asyncio.run(_denied(tmp_path, made["apiKey"]))
    listed = owner("payments", "list", "--status", "denied", "--json").document["payments"]
    assert [(p["paymentId"], p["agentId"], p["amount"]) for p in listed] == [(payment_id, "one", "5.00")]
    shown = owner("payments", "show", payment_id).out
    assert "[bold]hi[/bold]" in shown
    assert "the agent wrote" in shown
    assert owner("payments", "show", "pay_0").code == 1
    assert owner("payments", "list", "--status", "lost").code == 1


def test_budget_shows_each_agents_limits(owner, tmp_path):
    owner("agent", "add", "one", "--policy", policy_in(tmp_path))
    (budget,) = owner("budget", "--json").document["budgets"]
    assert (budget["agentId"], budget["lines"][0]["remaining"]) == ("one", "5000.00")
    assert "5000.00" in owner("budget", "--agent", "one").out
    assert owner("budget", "--agent", "nobody").code == 1
