"""Votes: who counts, for how long, and what an approval can never do."""

import pytest

from mcp_wallet.core.decision import NO_FACTS as NONE
from mcp_wallet.core.decision import Counters, Decision, Outcome, WindowUse
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.votes import ApprovalTerms, Vote, rejecting_vote
from tests.unit.core.test_policy_gate import INTENT, compiled, rule

HOUR_MS = 3_600_000
NOW_MS = 10 * HOUR_MS
NORA, OMAR, PIA = (Vote(name, True, NOW_MS - 1) for name in ("nora", "omar", "pia"))


def terms(**changes: object) -> ApprovalTerms:
    fields: dict[str, object] = {
        "quorum": 1,
        "approvers": None,
        "exclude_requester": True,
        "ttl_ms": HOUR_MS,
        "channel": "outOfBand",
    }
    return ApprovalTerms(**(fields | changes))  # type: ignore[arg-type]


def decided(
    *votes: Vote, requested_by: str = "", approval: dict[str, object] | None = None, **more: object
) -> Decision:
    large = {"id": "large", "effect": "requireApproval", "match": {}, "approval": approval or {"quorum": 1}}
    policy = compiled(rule("pay"), large, **more)
    uses = tuple(WindowUse(limit.limit_id, "", 0, 0, 0) for limit in policy.limits)
    counters = Counters(uses=uses, votes=votes, requested_by=requested_by, wall_ms=NOW_MS)
    return decide(policy, INTENT, counters, NONE, NOW_MS)


def test_nobody_counts_twice():
    twice = (NORA, Vote("nora", True, NOW_MS))
    assert not terms(quorum=2).is_satisfied(twice, requested_by="", now_ms=NOW_MS)
    assert terms(quorum=2).is_satisfied((NORA, OMAR), requested_by="", now_ms=NOW_MS)


def test_a_vote_counts_while_it_is_younger_than_its_ttl():
    vote = (Vote("nora", True, NOW_MS - HOUR_MS),)
    assert terms().is_satisfied(vote, requested_by="", now_ms=NOW_MS - 1)
    assert not terms().is_satisfied(vote, requested_by="", now_ms=NOW_MS)


def test_the_requester_counts_only_where_the_rule_says_so():
    assert not terms().is_satisfied((NORA,), requested_by="nora", now_ms=NOW_MS)
    assert terms(exclude_requester=False).is_satisfied((NORA,), requested_by="nora", now_ms=NOW_MS)


def test_only_named_approvers_count():
    named = terms(approvers=frozenset({"omar"}))
    assert not named.is_satisfied((NORA,), requested_by="", now_ms=NOW_MS)
    assert named.is_satisfied((NORA, OMAR), requested_by="", now_ms=NOW_MS)


def test_a_rejection_counts_however_old_but_only_from_an_approver():
    old = Vote("omar", False, 0)
    named = [terms(approvers=frozenset({"omar"}))]
    assert rejecting_vote(named, (old,), requested_by="") == old
    assert rejecting_vote(named, (Vote("pia", False, NOW_MS),), requested_by="") is None
    assert rejecting_vote(named, (old,), requested_by="omar") is None


def test_a_quorum_allows_what_a_rule_asked_for():
    assert decided().outcome is Outcome.REQUIRE_APPROVAL
    allowed = decided(NORA)
    assert (allowed.outcome, allowed.codes) == (Outcome.ALLOW, (ReasonCode.OK,))


def test_one_vote_of_two_still_waits():
    assert decided(NORA, approval={"quorum": 2}).codes == (ReasonCode.APPROVAL_REQUIRED,)


def test_one_rejection_denies_whoever_approved():
    denied = decided(NORA, Vote("omar", False, NOW_MS), PIA)
    assert (denied.outcome, denied.codes) == (Outcome.DENY, (ReasonCode.APPROVAL_REJECTED,))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (
            {"limits": [{"id": "day", "match": {"assets": ["usdc"]}, "maxAmount": "1", "window": {"rolling": "24h"}}]},
            ReasonCode.WINDOW_LIMIT_EXCEEDED,
        ),
        ({"validity": {"expiresAt": "1970-01-01T00:00:01Z"}}, ReasonCode.EXPIRED),
    ],
)
def test_an_approval_lifts_nothing_else(more, code):
    if "limits" in more:
        policy = compiled(
            {**rule("pay"), "perTransaction": {"max": "1"}},
            {"id": "large", "effect": "requireApproval", "match": {}, "approval": {"quorum": 1}},
            **more,
        )
        counters = Counters(uses=(WindowUse("day", "", 0, 0, 0),), votes=(NORA,), wall_ms=NOW_MS)
        decision = decide(policy, INTENT, counters, NONE, NOW_MS)
    else:
        decision = decided(NORA, **more)
    assert decision.outcome is Outcome.DENY
    assert code in decision.codes
