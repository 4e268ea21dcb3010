"""What a change would change: the commands, on a home with decisions of its own."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import PaymentRequest, parse_request
from mcp_wallet.core.payees import Payee
from mcp_wallet.wiring.opening import open_home
from tests.trails import FACTS
from tests.unit.control.homes import environment_in
from tests.unit.doors.commands import ALICE, BOB, POLICY, Commands, Ran, environ_of, operator_at, policy_in

PAYEES = (Payee(name="alice", address=Address(ALICE.lower()), category="refund"),)
TIGHTER = POLICY.replace('max: "1000.00"', 'max: "50.00"')
LOOSER = POLICY.replace("[alice]", f'[alice, "{BOB}"]')


@pytest.fixture
def owner(tmp_path: Path) -> Commands:
    return operator_at(tmp_path, payees=PAYEES)[0]


def candidate_in(folder: Path, text: str) -> str:
    path = folder / "candidate.yaml"
    path.write_text(text)
    return str(path)


def decide(folder: Path, api_key: str, *payments: tuple[str, str]) -> None:
    """Let the home decide payments, recipient and amount, as its server would."""

    async def decided() -> None:
        async with open_home(environment_in(folder)) as home:
            agent, _, settings = await home.ledger.authenticate(api_key)
            for to, amount in payments:
                request = PaymentRequest(to=to, amount=amount)
                draft = parse_request(request, agent=agent, registry=settings.registry, book=settings.book)
                await home.ledger.preview(draft) or await home.ledger.decide_and_reserve(draft, FACTS)

    asyncio.run(decided())


@pytest.fixture
def agent_key(owner: Commands, tmp_path: Path) -> str:
    made: str = owner("agent", "add", "one", "--policy", policy_in(tmp_path), "--json").document["apiKey"]
    return made


def test_a_diff_of_two_files_needs_no_home(tmp_path):
    old = policy_in(tmp_path, POLICY.replace("alice", f'"{ALICE}"'))
    new = candidate_in(tmp_path, TIGHTER.replace("alice", f'"{ALICE}"'))
    ran = Commands(environ_of(tmp_path))("policy", "diff", old, new, "--json")
    assert ran.code == 0
    assert ran.document["classification"] == "tightens"
    (denied,) = ran.document["newlyDenied"]
    assert denied["amounts"] == [{"from": "50.000001 USDC", "to": "1000.00 USDC"}]
    assert (denied["decidedBefore"]["decision"], denied["decidedAfter"]["decision"]) == ("ALLOW", "DENY")
    assert denied["witness"]["payment"]["amount"] == "1000.00 USDC"


def test_a_diff_of_one_file_is_against_what_is_in_force(owner, tmp_path, agent_key):
    ran = owner("policy", "diff", candidate_in(tmp_path, LOOSER))
    assert ran.code == 0
    assert ": loosens" in ran.out.splitlines()[0]
    assert "Newly allowed:" in ran.out
    assert BOB.lower() in ran.out.replace("\n", "")
    assert owner("policy", "diff", policy_in(tmp_path), "--json").document["classification"] == "neutral"


def test_a_diff_of_a_new_policy_is_against_nothing(owner, tmp_path):
    document = owner("policy", "diff", policy_in(tmp_path), "--json").document
    assert (document["old"], document["classification"]) == (None, "loosens")


def test_a_diff_of_three_files_is_refused(owner, tmp_path):
    path = policy_in(tmp_path)
    assert owner("policy", "diff", path, path, path).code == 1


def test_a_backtest_says_what_would_have_changed(owner, tmp_path, agent_key):
    decide(tmp_path, agent_key, ("alice", "20.00"), ("alice", "80.00"), ("alice", "2000.00"), (BOB, "5.00"))
    found = owner("policy", "backtest", candidate_in(tmp_path, TIGHTER), "--json").document
    assert (found["decisions"], found["unchanged"]) == ("4", "3")
    (changed,) = found["changed"]
    assert (changed["before"], changed["after"], changed["count"]) == ("ALLOW", "DENY", "1")
    assert changed["amounts"] == ["80.00 USDC on local"]
    assert changed["examples"][0]["reasonsAfter"] == ["PER_TX_LIMIT_EXCEEDED"]
    looser = owner("policy", "backtest", candidate_in(tmp_path, LOOSER))
    assert "DENY -> ALLOW: 1 payments, 5.00 USDC on local" in looser.out


def test_a_backtest_counts_limits_that_the_policy_in_force_never_had(owner, tmp_path, agent_key):
    decide(tmp_path, agent_key, ("alice", "20.00"), ("alice", "30.00"), ("alice", "40.00"))
    extra = "  - {id: two, match: {}, maxCount: 2, window: {rolling: 1h}}\n"
    (changed,) = owner("policy", "backtest", candidate_in(tmp_path, POLICY + extra), "--json").document["changed"]
    assert changed["examples"][0]["reasonsAfter"] == ["COUNT_LIMIT_EXCEEDED"]
    assert changed["count"] == "1"


def test_a_backtest_looks_only_at_its_stretch_of_time(owner, tmp_path, agent_key):
    decide(tmp_path, agent_key, ("alice", "80.00"))
    candidate = candidate_in(tmp_path, TIGHTER)
    assert owner("policy", "backtest", candidate, "--from", "2999-01-01", "--json").document["decisions"] == "0"
    assert owner("policy", "backtest", candidate, "--to", "2001-01-01T00:00:00Z", "--json").document["decisions"] == "0"
    assert owner("policy", "backtest", candidate, "--from", "yesterday").code == 1


def test_the_recorded_policy_itself_changes_nothing(owner, tmp_path, agent_key):
    decide(tmp_path, agent_key, ("alice", "20.00"), ("alice", "2000.00"), (BOB, "5.00"), ("alice", "20.00"))
    assert owner("policy", "backtest", policy_in(tmp_path), "--json").document["changed"] == []


def shadowed(owner: Commands, path: str) -> Ran:
    return owner("policy", "shadow", path, "--once", "--json")


def test_a_shadow_records_what_it_would_decide_and_enforces_nothing(owner, tmp_path, agent_key):
    candidate = candidate_in(tmp_path, TIGHTER)
    decide(tmp_path, agent_key, ("alice", "70.00"))
    assert shadowed(owner, candidate).document["decisions"] == "0"  # it begins now
    decide(tmp_path, agent_key, ("alice", "80.00"), ("alice", "20.00"))
    found = shadowed(owner, candidate).document
    assert (found["decisions"], found["unchanged"]) == ("2", "1")
    (changed,) = found["changed"]
    assert (changed["before"], changed["after"], changed["amounts"]) == ("ALLOW", "DENY", ["80.00 USDC on local"])
    assert owner("audit", "replay", "--json").document["ok"] is True
    assert {p["status"] for p in owner("payments", "list", "--json").document["payments"]} == {"submitted"}


def test_a_shadow_goes_on_where_it_stopped_and_says_nothing_twice(owner, tmp_path, agent_key):
    candidate = candidate_in(tmp_path, TIGHTER)
    shadowed(owner, candidate)
    for amount in ("80.00", "90.00"):
        decide(tmp_path, agent_key, ("alice", amount))
        shadowed(owner, candidate)
        shadowed(owner, candidate)
    assert owner("policy", "shadow", candidate, "--report", "--json").document["decisions"] == "2"
    other = candidate_in(tmp_path, LOOSER)
    assert owner("policy", "shadow", other, "--report", "--json").document["decisions"] == "0"


def test_a_running_shadow_speaks_of_what_another_process_decides_until_it_is_stopped(owner, tmp_path, agent_key):
    arguments = ["policy", "shadow", candidate_in(tmp_path, TIGHTER)]
    environ = {**os.environ, **owner.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "mcp_wallet", *arguments]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert "Watching" in running.stderr.readline()
        decide(tmp_path, agent_key, ("alice", "80.00"))
        assert "ALLOW, the candidate says DENY" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=60) == 0
        assert running.stdout is not None
        assert "ALLOW -> DENY: 1 payments" in running.stdout.read()
