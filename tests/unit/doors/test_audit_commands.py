"""`audit …` from the command line: exit codes, what is printed, and what each reading leaves on the trail."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet.adapters.clock import wall_clock
from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.control.creation import CreatedHome
from mcp_wallet.control.home import load_key
from mcp_wallet.doors.cli.app import run
from tests.unit.control.homes import make_home
from tests.worlds import OPERATOR

ROOT = Path(__file__).parents[3]
HOSTILE = "drill \x1b[2J\u202e gpj\r\nfake line"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Audit = Callable[..., Said]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CreatedHome:
    made = asyncio.run(make_home(tmp_path))
    asyncio.run(_live(made))
    for name in ("home", "keys", "state"):
        variable = "MCP_WALLET_HOME" if name == "home" else f"MCP_WALLET_{name.upper()}_DIR"
        monkeypatch.setenv(variable, str(tmp_path / name))
    return made


async def _live(made: CreatedHome) -> None:
    ledger = await SqliteLedger.open(
        made.paths.ledger, database_key=None, home_key=load_key(made.paths.home_key), clock=wall_clock
    )
    await ledger.freeze("all", "", reason=HOSTILE, actor=OPERATOR)
    await ledger.unfreeze("all", "", reason="over", actor=OPERATOR)
    await ledger.close()


@pytest.fixture
def audit(home: CreatedHome, capsys: pytest.CaptureFixture[str]) -> Audit:
    def command(*arguments: str) -> Said:
        with pytest.raises(SystemExit) as ended:
            run(["audit", *arguments])
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return command


def events_of(home: CreatedHome) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(home.paths.ledger)) as raw:
        return [json.loads(body) for (body,) in raw.execute("SELECT body FROM event ORDER BY sequence")]


def edit(home: CreatedHome, statement: str) -> None:
    with closing(sqlite3.connect(home.paths.ledger)) as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute(statement)
        raw.commit()


def test_the_key_is_the_one_that_init_printed(home: CreatedHome, audit: Audit):
    assert audit("key").out.strip() == home.verifier_key
    assert audit("key", "--json").json == {"verifierKey": home.verifier_key}


def test_a_whole_trail_exits_0(home: CreatedHome, audit: Audit):
    said = audit("verify", "--vkey", home.verifier_key, "--json")
    assert (said.code, said.json["ok"], said.json["keyVerified"], said.json["firstBadSequence"]) == (
        0,
        True,
        True,
        None,
    )
    assert said.json["events"] == len(events_of(home)) - 1
    assert "are whole" in audit("verify", "--vkey", home.verifier_key).out


def test_without_the_key_it_exits_3(audit: Audit):
    said = audit("verify")
    assert said.code == 3
    assert "UNVERIFIED KEY" in said.out


def test_a_malformed_key_is_a_usage_error(audit: Audit):
    assert audit("verify", "--vkey", "nonsense").code == 2


def test_an_edited_event_exits_3_and_is_named_and_the_evidence_stays_as_it_was(home: CreatedHome, audit: Audit):
    edit(home, "UPDATE event SET body = replace(body, 'owner', 'other') WHERE sequence = 1")
    before = home.paths.ledger.read_bytes()
    said = audit("verify", "--vkey", home.verifier_key, "--json")
    assert (said.code, said.json["ok"], said.json["firstBadSequence"]) == (3, False, 1)
    assert said.json["findings"][0]["kind"] == "edited"
    assert said.json["recorded"] is False
    assert home.paths.ledger.read_bytes() == before


def test_a_cut_tail_exits_3_and_names_the_anchor(home: CreatedHome, audit: Audit):
    edit(home, "DELETE FROM event WHERE sequence >= 1")
    said = audit("verify", "--vkey", home.verifier_key, "--json")
    assert (said.code, said.json["firstBadSequence"]) == (3, 1)
    assert [(f["kind"], f["anchor"]) for f in said.json["findings"]] == [("truncated", "file")]


def test_a_ledger_that_cannot_be_opened_exits_4(home: CreatedHome, audit: Audit):
    home.paths.ledger.write_bytes(b"no database at all" * 500)
    said = audit("verify", "--vkey", home.verifier_key, "--json")
    assert (said.code, said.json["error"]["code"]) == (4, "LEDGER_UNAVAILABLE")


def test_each_reading_leaves_one_event(home: CreatedHome, audit: Audit):
    before = len(events_of(home))
    for arguments in (["verify"], ["tail"], ["tail", "--all", "--json"], ["replay"]):
        audit(*arguments)
    left = events_of(home)[before:]
    assert [(event["eventType"], event["query"]) for event in left] == [
        ("audit_accessed", query) for query in ("verify", "tail", "tail", "replay")
    ]
    assert {event["actor"]["kind"] for event in left} == {"system"}


def test_an_operators_reading_names_the_operator(home: CreatedHome, audit: Audit, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MCP_WALLET_OPERATOR_TOKEN", home.operator_token)
    audit("tail")
    assert events_of(home)[-1]["actor"] == {"kind": "operator", "name": "owner"}


def test_what_somebody_wrote_cannot_move_the_cursor(audit: Audit):
    out = audit("tail").out
    assert not {"\x1b", "\r", "\u202e"} & set(out)
    assert "fake line" in out
    assert not any(line.startswith("fake line") for line in out.splitlines())


def test_events_are_printed_as_they_are_stored(home: CreatedHome, audit: Audit):
    stored = events_of(home)
    lines = audit("tail", "--json", "-n", "2").out.splitlines()
    assert [json.loads(line) for line in lines] == stored[-2:]


def test_the_whole_trail_can_be_verified_elsewhere(home: CreatedHome, audit: Audit, tmp_path: Path):
    exported = tmp_path / "trail.jsonl"
    exported.write_text(audit("tail", "--all", "--json").out)
    command = [sys.executable, "-I", str(ROOT / "examples" / "verify_trail.py"), str(exported)]
    answer = subprocess.run([*command, "--vkey", home.verifier_key], check=False, capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout


def test_a_history_that_an_anchor_contradicts_is_not_signed(home: CreatedHome, audit: Audit):
    edit(home, "DELETE FROM event WHERE sequence >= 1")
    said = audit("tail", "--all", "--json")
    assert (said.code, said.json["error"]["code"]) == (3, "ROLLBACK_DETECTED")


def test_an_unknown_payment_is_refused(audit: Audit):
    said = audit("prove", "pay_nothing", "--json")
    assert (said.code, said.json["error"]["code"]) == (1, "PAYMENT_UNKNOWN")


def test_a_trail_without_decisions_replays(audit: Audit):
    said = audit("replay", "--json")
    assert (said.code, said.json["ok"], said.json["decisions"], said.json["mismatches"]) == (0, True, 0, [])
