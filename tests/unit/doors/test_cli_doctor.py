"""`doctor`: each finding says what mends it, and the exit code says how bad it is."""

import asyncio

import pytest

from mcp_wallet.control.health import RESISTANCE, Verdict
from mcp_wallet.core.roles import ALL_ROLES
from mcp_wallet.wiring.examination import _anchored
from mcp_wallet.wiring.opening import anchors_of, notary_of, open_home
from tests.unit.control.homes import environment_in
from tests.unit.doors.commands import ALICE, Commands, environ_of, operator_at, policy_in

NO_CHAIN: dict[str, object] = {"chains": {}}


def checks(ran):
    return {row["check"]: row for row in ran.document["checks"]}


def test_a_fresh_home_is_sound(tmp_path):
    owner, _ = operator_at(tmp_path, **NO_CHAIN)
    ran = owner("doctor", "--json")
    assert (ran.code, ran.document["ok"]) == (0, True)
    assert checks(ran)["ledger"]["verdict"] == "notice"  # it is plaintext, and says so
    assert "nothing else" in checks(ran)["planes"]["message"]


def test_an_encrypted_home_has_nothing_to_notice_about_its_ledger(tmp_path):
    owner, _ = operator_at(tmp_path, plaintext=False, **NO_CHAIN)
    assert checks(owner("doctor", "--json"))["ledger"]["verdict"] == "ok"


def test_without_a_home_it_says_how_to_make_one_and_how_to_try_one(tmp_path):
    bare = Commands(environ_of(tmp_path))
    ran = bare("doctor", "--json")
    assert ran.code == 1
    assert checks(ran)["home"]["mend"] == "mcp-wallet init"
    assert {"versions", "sqlite", "playground", "planes"} <= checks(ran).keys()
    assert "mcp-wallet demo" in bare("doctor").out


def test_a_broken_wallet_toml_is_no_missing_home(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "wallet.toml").write_text("orgId =")
    found = checks(Commands(environ_of(tmp_path))("doctor", "--json"))["home"]
    assert "not TOML" in found["message"]
    assert "init" not in found["mend"]


def test_a_misspelt_name_in_the_environment_is_a_finding_and_hides_no_other(tmp_path):
    owner, _ = operator_at(tmp_path, **NO_CHAIN)
    found = checks(owner("doctor", "--json", MCP_WALLET_HOM="x"))
    assert "nearest name is `MCP_WALLET_HOME`" in found["environment"]["message"]
    assert found["ledger"]["ok"]


def test_an_operators_token_where_a_server_may_start_is_noticed(tmp_path):
    owner, _ = operator_at(tmp_path, **NO_CHAIN)
    assert checks(owner("doctor", "--json"))["operator token"]["verdict"] == "notice"
    without = owner("doctor", "--json", MCP_WALLET_OPERATOR_TOKEN="")
    assert "operator token" not in checks(without)


def test_it_tells_whose_key_stands_in_the_environment(tmp_path):
    owner, _ = operator_at(tmp_path)
    assert checks(owner("doctor", "--json"))["agents"]["mend"]
    assert checks(owner("doctor", "--json"))["payees"]["mend"]
    owner("payee", "add", "alice", ALICE)
    key = owner("agent", "add", "refunds", "--policy", policy_in(tmp_path), "--json").document["apiKey"]
    found = checks(owner("doctor", "--json", MCP_WALLET_AGENT_KEY=key))
    assert found["agent key"]["message"] == "MCP_WALLET_AGENT_KEY is the key of refunds."
    assert (found["agents"]["verdict"], found["payees"]["verdict"]) == ("ok", "ok")
    wrong = checks(owner("doctor", "--json", MCP_WALLET_AGENT_KEY="mw_wrong"))["agent key"]
    assert (wrong["verdict"], bool(wrong["mend"])) == ("failed", True)
    assert "mw_wrong" not in wrong["message"]


def test_it_says_where_everything_is(tmp_path):
    owner, made = operator_at(tmp_path, **NO_CHAIN)
    told = checks(owner("doctor", "--json"))["paths"]["message"]
    assert all(str(path) in told for path in (made.paths.home, made.paths.keys, made.paths.state))


def test_what_is_wrong_comes_before_what_is_advised(tmp_path):
    owner, made = operator_at(tmp_path, **NO_CHAIN)
    made.paths.home_key.chmod(0o644)
    told = owner("doctor").out.splitlines()
    last = [line for line in told if line.startswith(("To mend: ", "Advised: "))]
    assert last == told[-len(last) :]
    assert [line[:7] for line in last] == sorted((line[:7] for line in last), reverse=True)
    assert any("chmod" in line for line in last if line.startswith("To mend"))


def test_a_node_that_cannot_be_reached_is_not_found_out(tmp_path):
    owner, _ = operator_at(tmp_path)
    ran = owner("doctor", "--json")
    assert (ran.code, checks(ran)["node local 1"]["verdict"]) == (4, "unknown")


def test_an_older_copy_of_the_home_is_an_integrity_finding(tmp_path):
    owner, made = operator_at(tmp_path, **NO_CHAIN)
    before = made.paths.ledger.read_bytes()
    owner("payee", "add", "bob", "0xb0b0000000000000000000000000000000000002")
    asyncio.run(_publish(tmp_path))
    assert checks(owner("doctor", "--json"))["trail"]["verdict"] == "ok"
    made.paths.ledger.write_bytes(before)
    ran = owner("doctor", "--json")
    assert (ran.code, checks(ran)["trail"]["verdict"]) == (3, "integrity")


async def _publish(folder):
    async with open_home(environment_in(folder)) as home:
        note = notary_of(home.paths, home.settings).note(await home.ledger.head())
        (anchor,) = anchors_of(home.paths)
        await anchor.publish(note)


@pytest.mark.parametrize(
    ("break_it", "check"),
    [
        (lambda made: made.paths.home_key.chmod(0o644), "permissions"),
        (lambda made: made.paths.checkpoints.unlink(), "trail"),
        (lambda made: made.paths.keystore_password.write_text("wrong\n"), "signer"),
        (lambda made: made.paths.log_key.unlink(), "trail"),
        (
            lambda made: made.paths.settings.write_text(made.paths.settings.read_text() + "[limits]\npendingMax = 9\n"),
            "settings",
        ),
    ],
)
def test_each_thing_that_is_wrong_has_its_finding_and_a_remedy(tmp_path, break_it, check):
    owner, made = operator_at(tmp_path, **NO_CHAIN)
    break_it(made)
    ran = owner("doctor", "--json")
    assert ran.code == 1
    assert checks(ran)[check]["verdict"] == "failed"
    assert checks(ran)[check]["mend"]


def test_freezes_are_shown(tmp_path):
    owner, _ = operator_at(tmp_path, **NO_CHAIN)
    owner("kill", "--all", "--reason", "drill")
    assert checks(owner("doctor", "--json"))["freezes"]["message"] == "Frozen: all."


def test_it_says_what_this_shape_resists(tmp_path):
    owner, _ = operator_at(tmp_path, **NO_CHAIN)
    printed = owner("doctor").out
    assert all(attacker in printed for attacker, _ in RESISTANCE)


def test_a_home_of_two_says_who_they_are_and_what_waits_for_them(tmp_path):
    everything = {"nora": ALL_ROLES, "omar": ALL_ROLES}
    nora, _ = operator_at(tmp_path, solo=False, founders=everything, **NO_CHAIN)
    found = checks(nora("doctor", "--json"))
    assert found["people"]["message"].startswith("nora (admin, approver, auditor, operator, viewer), omar (")
    assert "waiting" not in found
    nora("payee", "add", "alice", ALICE, "--reason", "a new customer")
    waiting = checks(nora("doctor", "--json"))["waiting"]
    assert (waiting["verdict"], waiting["mend"]) == ("notice", "mcp-wallet approvals list")


@pytest.mark.parametrize(("events", "verdict"), [(300, Verdict.OK), (301, Verdict.NOTICE)])
def test_an_anchor_that_fell_behind_is_noticed(events, verdict):
    check = _anchored(events, [("file", "mcp-wallet/org/log\n44\nroot\n")])
    assert (check.verdict, bool(check.mend)) == (verdict, verdict is Verdict.NOTICE)
    assert "file has seen 44" in check.sentence
