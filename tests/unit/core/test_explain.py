"""Explanations: in words, and every amount and moment they name is decided as they say."""

import re

import pytest

from mcp_wallet.core.books import Books
from mcp_wallet.core.compile import compile_policy
from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.explain import Explanation, explain
from mcp_wallet.core.intent import Agent, PaymentRequest, parse_request
from mcp_wallet.core.policy_language import time_ms
from mcp_wallet.core.reason_words import reason_words
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED
from tests.unit.core.test_decision_vectors import VECTORS, decision_of
from tests.worlds import LOCAL, SENDER, payment, policy_document, settings

POLICY = """
version: 1
id: p
disclosure: full
rules:
  - id: pay
    effect: allow
    match: {chains: [local], assets: [usdc], recipients: [alice], hours: {start: "08:00", end: "20:00"}}
    perTransaction: {max: "100.00", min: "1.00"}
  - {id: large, effect: requireApproval, match: {amount: {gt: "50"}}, approval: {quorum: 2, approvers: [nora, omar]}}
limits:
  - {id: day, match: {assets: [usdc]}, maxAmount: "120", window: {rolling: 24h}}
  - {id: month, match: {assets: [usdc]}, maxAmount: "500", window: {calendar: month, timezone: Europe/London}}
"""
NOON = time_ms("2026-05-28T12:00:00Z")


def explained(
    *, to: str = "alice", amount: str, at_ms: int = NOON, spent: str = "", policy: str = POLICY
) -> Explanation:
    active, books = settings(), Books()
    compiled = compile_policy(policy_document(policy, active), version="1", settings=active)
    agent = Agent(
        org_id="org_test",
        agent_id="refund-processor",
        environment="test",
        sender=SENDER,
        chains=(LOCAL,),
        policy_hash=compiled.hash,
        settings_hash=active.hash,
    )
    if spent:
        earlier = NOON - 3_600_000
        books.hold("old", payment(at_ms=earlier, amount_units=int(spent) * 1_000_000), pending=False)
    request = PaymentRequest(to=to, amount=amount)
    draft = parse_request(request, agent=agent, registry=active.registry, book=active.book)
    return explain(books, policy=compiled, settings=active, draft=draft, wall_ms=at_ms)


def test_an_allowed_payment_needs_no_change():
    found = explained(amount="50")
    assert found.decision.outcome is Outcome.ALLOW
    assert found.reasons == ("rule `pay` admits it",)
    assert found.changes == ()


def test_too_large_an_amount_names_the_largest_that_is_not():
    found = explained(amount="100.01")
    assert found.reasons[0] == "rule `pay` allows at most 100.00 USDC in one payment, this is 100.01 USDC"
    assert "An amount of at most 100.00 USDC would wait for people's approval." in found.changes


def test_too_small_an_amount_names_the_smallest_that_is_not():
    found = explained(amount="0.5")
    assert found.changes == ("An amount of at least 1.00 USDC would be allowed.",) or found.changes[0].startswith(
        "An amount of at least 1.00 USDC"
    )


def test_a_full_day_names_what_is_left_and_when_it_is_free():
    found = explained(amount="40", spent="90")
    assert found.reasons == (
        "limit `day` is 120.00 USDC: with this payment it would be 130.00 USDC, 30.00 USDC is left",
    )
    assert found.changes == (
        "An amount of at most 30.00 USDC would be allowed.",
        "From 2026-05-29T11:00:00Z on the same payment would be allowed.",
    )


def test_a_full_month_is_free_when_the_month_is_over_there_and_the_hours_begin():
    found = explained(amount="40", spent="490", policy=POLICY.replace('"120"', '"500"'))
    assert found.changes[-1] == "From 2026-06-01T08:00:00Z on the same payment would be allowed."


def test_outside_hours_names_when_they_begin():
    found = explained(amount="40", at_ms=time_ms("2026-05-28T20:30:00Z"))
    assert "it is outside the hours of the rules that would fit" in found.reasons
    assert found.changes == ("From 2026-05-29T08:00:00Z on the same payment would be allowed.",)


def test_what_needs_people_names_them_and_the_amount_that_does_not():
    found = explained(amount="60")
    assert found.decision.outcome is Outcome.REQUIRE_APPROVAL
    assert "Rule `large` is satisfied when 2 of nora, omar approve." in found.changes
    assert "An amount of at most 50.00 USDC would be allowed." in found.changes


def test_a_stranger_is_one_part_away_from_the_rule():
    found = explained(to="mallory", amount="40")
    assert "no rule that fits otherwise names this recipient" in found.reasons
    assert found.changes == (
        "Rule `pay` matches but for its `recipients`: a new version of the policy could widen them.",
    )


@pytest.mark.parametrize(
    ("disclosure", "lines"),
    [
        ("coarse", ["ALLOW: OK"]),
        (
            "remaining",
            ["ALLOW: OK", "80.00 USDC left in 24h rolling", "460.00 USDC left in calendar month (Europe/London)"],
        ),
        ("full", ["ALLOW: OK", "80.00 USDC left of 120.00 USDC in 24h rolling"]),
    ],
)
def test_the_agent_sees_what_the_policy_discloses(disclosure: str, lines: list[str]):
    found = explained(amount="40", policy=POLICY.replace("disclosure: full", f"disclosure: {disclosure}"))
    assert list(found.agent_sees[: len(lines)]) == lines


def test_each_code_of_the_gate_has_words():
    usdc = SHIPPED.asset(SHIPPED.chain("base").chain_id, "usdc")
    for vector in VECTORS.values():
        for reason in decision_of(vector).reasons:
            words = reason_words(reason, usdc)
            assert not re.search(r"[{}?]", words), words
            assert words not in ReasonCode.__members__
