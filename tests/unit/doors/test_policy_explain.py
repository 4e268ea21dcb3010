"""`policy explain` on a home with a policy in force and payments of its own."""

from pathlib import Path

import pytest

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.payees import Payee
from tests.unit.doors.commands import ALICE, BOB, POLICY, Commands, operator_at, policy_in
from tests.unit.doors.test_policy_foresight import decide

PAYEES = (Payee(name="alice", address=Address(ALICE.lower()), category="refund"),)


@pytest.fixture
def owner(tmp_path: Path) -> Commands:
    owner = operator_at(tmp_path, payees=PAYEES)[0]
    key = owner("agent", "add", "one", "--policy", policy_in(tmp_path), "--json").document["apiKey"]
    decide(tmp_path, key, *[("alice", f"99{n}.00") for n in range(5)])
    return owner


def test_a_decision_is_told_with_its_reasons_and_what_would_change_it(owner: Commands):
    ran = owner("policy", "explain", "--to", "alice", "--amount", "500")
    assert ran.code == 0
    assert "DENY by policy refunds, version 1:" in ran.out
    assert "limit `agent-day` is 5000.00 USDC: with this payment it would be" in ran.out
    assert "An amount of at most 40.00 USDC would be allowed." in ran.out
    assert "What the agent is told:\n  DENY: WINDOW_LIMIT_EXCEEDED" in ran.out


def test_the_amount_that_is_said_to_pass_passes_and_nothing_was_recorded(owner: Commands):
    told = owner("policy", "explain", "--to", "alice", "--amount", "500", "--json").document
    assert told["decision"] == "DENY"
    again = owner("policy", "explain", "--to", "alice", "--amount", "40.00", "--json").document
    assert (again["decision"], again["changes"]) == ("ALLOW", [])
    assert again["remaining"] == {"agent-day": "0"}


def test_a_candidate_decides_in_place_of_the_policy_in_force(owner: Commands, tmp_path: Path):
    wider = tmp_path / "wider.yaml"
    wider.write_text(POLICY.replace("[alice]", f'[alice, "{BOB}"]'))
    assert owner("policy", "explain", "--to", BOB, "--amount", "1", "--json").document["decision"] == "DENY"
    told = owner("policy", "explain", str(wider), "--to", BOB, "--amount", "1", "--json").document
    assert told["decision"] == "ALLOW"


def test_an_agent_that_nobody_has_is_refused(owner: Commands):
    ran = owner("policy", "explain", "--to", "alice", "--amount", "1", "--agent", "two", "--json")
    assert ran.code == 1
    assert ran.document["error"]["code"] == "INTENT_INVALID"
