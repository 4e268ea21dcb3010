"""What a change of policy changes, one kind of change after the other."""

import dataclasses

import pytest

from mcp_wallet.core import diff as diff_module
from mcp_wallet.core import diff_cells, diff_limits, diff_people
from mcp_wallet.core.compile import CompiledPolicy, Listing
from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.diff import Classification, classify, diff
from mcp_wallet.core.diff_moments import moments_of
from mcp_wallet.core.wall_clock import Hours
from tests.worlds import ALICE, compiled, settings

SETTINGS = settings()
POLICY = """
version: 1
id: p
lists: {friends: [alice, bob]}
rules:
  - id: pay
    effect: allow
    match: {agents: [refunds], chains: [local], assets: [usdc], recipients: {list: friends}}
    perTransaction: {max: "10.00"}
  - {id: people, effect: requireApproval, match: {amount: {gt: "5.00"}}, approval: {quorum: 1, approvers: [nora, omar]}}
  - {id: never, effect: deny, match: {categories: [gift]}}
limits:
  - {id: day, match: {assets: [usdc], chains: [local]}, maxAmount: "50.00", groupBy: [agent], window: {rolling: 24h}}
  - {id: count, match: {assets: [usdc]}, maxCount: 9, window: {calendar: day, timezone: UTC}}
cooldown: 30s
"""
TIGHTER = {
    "a smaller maximum": ('max: "10.00"', 'max: "9.00"'),
    "a shorter list": ("[alice, bob]", "[alice]"),
    "approval from less on": ('gt: "5.00"', 'gt: "4.00"'),
    "a larger quorum": ("quorum: 1", "quorum: 2"),
    "another denial": ("[gift]", "[gift, toy]"),
    "a smaller limit": ('maxAmount: "50.00"', 'maxAmount: "40.00"'),
    "a longer window": ("rolling: 24h", "rolling: 48h"),
    "a shared budget": ("groupBy: [agent], ", ""),
    "a limit on more chains": ("assets: [usdc], chains: [local]}, maxA", "assets: [usdc]}, maxA"),
    "a longer calendar period": ("calendar: day", "calendar: week"),
    "a lifetime": ("calendar: day, timezone: UTC", "lifetime: true"),
    "fewer payments": ("maxCount: 9", "maxCount: 8"),
    "a longer cooldown": ("cooldown: 30s", "cooldown: 1m"),
    "a hold": ("cooldown: 30s", "cooldown: 30s\nnewRecipientHold: 24h"),
    "an end": ("cooldown: 30s", 'cooldown: 30s\nvalidity: {expiresAt: "2031-01-01T00:00:00Z"}'),
    "hours": ("agents: [refunds], chains", 'hours: {start: "08:00", end: "20:00"}, agents: [refunds], chains'),
    "a denial of what is unusual": ("cooldown: 30s", "cooldown: 30s\nanomaly: {amount: deny}"),
    "no agents": ("agents: [refunds]", "agents: []"),
}
BOTH = {
    "another recipient": ("[alice, bob]", "[alice, mallory]"),
    "another agent": ("agents: [refunds]", "agents: [payroll]"),
    "another approver": ("[nora, omar]", "[nora, pia]"),
    "an approver less, who could also reject": ("[nora, omar]", "[nora]"),
    "a larger limit over a longer window": (
        'maxAmount: "50.00", groupBy: [agent], window: {rolling: 24h}',
        'maxAmount: "60.00", groupBy: [agent], window: {rolling: 48h}',
    ),
    "a rolling day for a calendar day": ("calendar: day, timezone: UTC", "rolling: 24h"),
    "another zone": ("timezone: UTC", "timezone: Asia/Tokyo"),
}
IMPLIED = """limits:
  - id: hours
    match: {assets: [usdc], chains: [local]}
    maxAmount: "50.00"
    groupBy: [agent]
    window: {rolling: 2h}"""
COVERED = """rules:
  - id: less
    effect: allow
    match: {agents: [refunds], chains: [local], assets: [usdc], recipients: [alice]}
    perTransaction: {max: "3.00"}"""
NEUTRAL = {
    "another name": ("id: pay", "id: refund"),
    "another name of a limit": ("id: day", "id: daily"),
    "a limit that another one implies": ("limits:", IMPLIED),
    "a rule that another one covers": ("rules:", COVERED),
    "a denial of what nobody admits": ("rules:", "rules:\n  - {id: no, effect: deny, match: {recipients: [mallory]}}"),
}


def policy(written: str = "", instead: str = "") -> CompiledPolicy:
    assert written in POLICY
    return compiled(POLICY.replace(written, instead) if written else POLICY, SETTINGS)


@pytest.mark.parametrize("name", TIGHTER)
def test_a_tightening_tightens_and_taken_back_it_loosens(name: str):
    assert classify(policy(), policy(*TIGHTER[name])) is Classification.TIGHTENS
    assert classify(policy(*TIGHTER[name]), policy()) is Classification.LOOSENS


@pytest.mark.parametrize("name", BOTH)
def test_what_opens_one_thing_and_closes_another_does_both(name: str):
    assert classify(policy(), policy(*BOTH[name])) is Classification.BOTH


@pytest.mark.parametrize("name", NEUTRAL)
def test_what_changes_no_decision_is_neutral(name: str):
    found = diff(policy(), policy(*NEUTRAL[name]))
    assert (found.classification, found.changes) == (Classification.NEUTRAL, ())


@pytest.mark.parametrize("name", [*TIGHTER, *BOTH])
def test_each_change_comes_with_a_payment_that_shows_it(name: str):
    edit = (TIGHTER | BOTH)[name]
    found = diff(policy(), policy(*edit))
    for change in found.changes:
        assert (change.example.before.outcome, change.example.after.outcome) == (change.before, change.after)
    assert found.changes


def test_a_first_policy_that_admits_something_loosens():
    found = diff(None, policy())
    assert found.classification is Classification.LOOSENS
    assert {c.after for c in found.changes} == {Outcome.ALLOW, Outcome.REQUIRE_APPROVAL}


def test_a_first_policy_that_admits_nothing_changes_nothing():
    assert classify(None, compiled("{version: 1, id: p, rules: []}", SETTINGS)) is Classification.NEUTRAL


def test_a_raised_maximum_is_named_with_its_amounts():
    found = diff(policy(), policy('max: "10.00"', 'max: "12.00"'))
    (change,) = found.needs_approval
    assert change.amounts == [(10_000_001, 12_000_000)]
    assert (change.before, change.agents, change.recipients) == (Outcome.DENY, ("refunds",), 2)


def test_a_raised_limit_is_shown_by_a_past_that_the_old_version_refuses():
    found = diff(policy(), policy('maxAmount: "50.00"', 'maxAmount: "60.00"'))
    (change,) = found.changes
    assert [(t.subject, t.name, t.before, t.after) for t in change.terms] == [
        ("limit", "day/maxAmount", "50000000", "60000000")
    ]
    assert change.example.witness.past
    assert "WINDOW_LIMIT_EXCEEDED" in change.example.before.codes


def test_a_policy_that_shows_its_agent_more_loosens():
    more = policy("cooldown: 30s", "cooldown: 30s\ndisclosure: full")
    assert classify(policy(), more) is Classification.LOOSENS
    assert classify(more, policy()) is Classification.TIGHTENS


def test_settings_that_let_fees_grow_loosen():
    old = policy()
    new = dataclasses.replace(old, fee_caps={chain: (a + 1, b) for chain, (a, b) in old.fee_caps.items()})
    assert classify(old, new) is Classification.LOOSENS
    assert classify(new, old) is Classification.TIGHTENS


def test_every_field_of_a_policy_is_known_to_the_diff():
    compared = {
        "chains", "rules", "limits", "cooldown_ms", "new_recipient_hold_ms", "not_before_ms", "expires_at_ms",
        "disclosure", "anomaly", "approval_ttl_ms", "pending_max", "fee_caps", "_listed", "_added",
    }  # fmt: skip
    derived = {
        "policy_id", "version", "hash", "settings_hash", "horizon_ms", "is_timed", "_agents", "_buckets", "_scopes",
        "listings",
    }  # fmt: skip
    assert {field.name for field in dataclasses.fields(CompiledPolicy)} == compared | derived


def test_an_address_that_imitates_a_payee_is_told_from_a_stranger():
    anyone = POLICY.replace("{list: friends}", "any")
    double = "0x" + ALICE[2:5] + "9" * 33 + ALICE[-4:]
    listed = anyone.replace("[alice, bob]", f'[alice, bob, "{double}"]').replace(
        "rules:",
        "rules:\n  - {id: more, effect: allow, match: {agents: [refunds], chains: [local], assets: [usdc], "
        "recipients: {list: friends}}, perTransaction: {max: '10.00'}}",
    )
    found = diff(compiled(anyone, SETTINGS), compiled(listed, SETTINGS))
    assert found.classification is Classification.LOOSENS
    assert {change.recipient for change in found.changes} == {double}


def test_moments_meet_a_night_shift_that_a_clock_change_cuts_short():
    night = Hours(days=frozenset({6}), start_minute=90, end_minute=150, timezone="Europe/Berlin")
    day = Hours(days=frozenset({6}), start_minute=120, end_minute=180, timezone="Europe/Berlin")
    found = moments_of([night, day], [], from_ms=1_893_456_000_000)
    seen = {(night.covers(m), day.covers(m)) for m in found}
    assert seen == {(False, False), (True, False), (True, True), (False, True)}


def test_how_long_a_version_has_been_in_force_is_no_difference():
    held = policy("cooldown: 30s", "cooldown: 30s\nnewRecipientHold: 24h")
    recent = dataclasses.replace(held, listings=(Listing(at_ms=1_800_000_000_000, recipients=held._listed),))
    assert classify(recent, held) is classify(held, recent) is Classification.NEUTRAL


MUTANTS: dict[str, tuple[object, str, object]] = {
    "every limit stands in for every other": (diff_limits, "_stands_in", lambda *_: True),
    "a shorter window is as good": (diff_limits, "_lasts", lambda *_: True),
    "groups do not matter": (diff_limits, "_is_pinned", lambda *_: True),
    "a narrower match is as good": (diff_limits, "_meets_all", lambda *_: True),
    "whoever approves": (diff_people, "_stands_in", lambda *_: True),
    "who may reject does not matter": (diff_people, "_within", lambda *_: True),
    "terms do not matter": (diff_module, "term_changes", lambda _: ()),
    "moments do not matter": (diff_cells, "moments_of", lambda *_, from_ms: (from_ms,)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_careless_comparison_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch):
    place, attribute, careless = MUTANTS[name]
    monkeypatch.setattr(place, attribute, careless)
    expected = dict.fromkeys(TIGHTER, Classification.TIGHTENS) | dict.fromkeys(BOTH, Classification.BOTH)
    edits = TIGHTER | BOTH
    assert any(classify(policy(), policy(*edits[edit])) is not answer for edit, answer in expected.items())
