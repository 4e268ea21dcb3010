"""What a change of policy changes."""

from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.diff import Classification, classify
from tests.worlds import compiled, settings

SETTINGS = settings()


def policy(maximum: str = "5.00") -> CompiledPolicy:
    return compiled(
        f"""
version: 1
id: p
rules:
  - {{id: a, effect: allow, match: {{assets: [usdc], recipients: any}}, perTransaction: {{max: "{maximum}"}}}}
""",
        SETTINGS,
    )


def test_the_same_policy_changes_nothing():
    assert classify(policy(), policy()) is Classification.NEUTRAL


def test_a_first_policy_that_admits_something_loosens():
    assert classify(None, policy()) is Classification.LOOSENS


def test_a_first_policy_without_rules_changes_nothing():
    assert classify(None, compiled("{version: 1, id: p, rules: []}", SETTINGS)) is Classification.NEUTRAL


def test_what_may_loosen_needs_the_people_that_a_loosening_needs():
    assert {c for c in Classification if c.is_loosening} == {Classification.LOOSENS, Classification.BOTH}
    assert classify(policy(), policy("6.00")).is_loosening
