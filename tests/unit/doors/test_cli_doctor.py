"""`doctor`: each finding says what mends it, and the exit code says how bad it is."""

import asyncio
from pathlib import Path

import pytest

from mcp_wallet.control.health import RESISTANCE
from mcp_wallet.wiring.opening import anchors_of, notary_of, open_home
from tests.unit.control.homes import environment_in
from tests.unit.doors.commands import Commands, environ_of, operator_at

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


def test_without_a_home_it_says_how_to_make_one(tmp_path):
    ran = Commands(environ_of(tmp_path))("doctor", "--json")
    assert ran.code == 1
    assert checks(ran)["home"]["mend"] == "mcp-wallet init"


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


@pytest.mark.parametrize("document", ["README.md", "docs/threat-model.md"])
def test_the_documents_show_the_same_table(document):
    text = (Path(__file__).parents[3] / document).read_text("utf-8").replace("*", "").replace("`", "")
    assert [row for row in RESISTANCE if f"| {row[0]} | {row[1]} |" not in text] == []
