"""Gate 1: who may make an approval, and an index that finds the same rules whatever their number."""

import json

import pytest

from mcp_wallet.core.approval import APPROVAL_MS
from mcp_wallet.core.compile import CompiledPolicy, compile_policy
from mcp_wallet.core.decision import NO_FACTS, Counters, Facts, Outcome, WindowUse
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.matching import Matcher, Payment
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy import load_policy
from mcp_wallet.core.policy_gate import approval_for, decide
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED
from mcp_wallet.core.resolve import resolve_policy
from mcp_wallet.core.rule_index import MERGED_RECIPIENTS_MAX, RecipientTable
from mcp_wallet.core.settings import Settings

USDC = AssetId("eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913")
ALICE = Address("0x" + "a1" * 20)
SETTINGS = Settings(document={}, version="1", org_id="org", environment="test")
FACTS = Facts(source="node:base", gas_limit=60_000, max_fee_wei=10, priority_fee_wei=1)
INTENT = PaymentIntent(
    version="1",
    org_id="org",
    agent_id="refunds",
    intent_id="int_1",
    operation="transfer",
    chain="eip155:8453",
    asset=USDC,
    sender="0x" + "5e" * 20,
    to=ALICE,
    amount="5000000",
    reference="",
    category="",
    memo_hash="",
    blind="",
)


def rule(rule_id: str, effect: str = "allow", **match: object) -> dict[str, object]:
    if effect != "allow":
        return {"id": rule_id, "effect": effect, "match": match}
    match = {"assets": ["usdc"], "recipients": "any", **match}
    return {"id": rule_id, "effect": effect, "match": match, "perTransaction": {"max": "10"}}


def compiled(*rules: object, **more: object) -> CompiledPolicy:
    source = {"version": 1, "id": "p", "rules": rules, **more}
    policy = load_policy(json.dumps(source), name="p.json", registry=SHIPPED, book=AddressBook())
    document = resolve_policy(policy, registry=SHIPPED, book=AddressBook(), read_list=lambda _: "")
    return compile_policy(document, version="1", settings=SETTINGS)


def approve(outcome: Outcome = Outcome.ALLOW, facts: Facts = FACTS, fee_cap_wei: int = 10**9):
    decision = decide(compiled(rule("a")), INTENT, Counters(), NO_FACTS, 1_000)._replace(outcome=outcome)
    return approval_for(
        decision,
        payment_id="pay_1",
        intent=INTENT,
        facts=facts,
        fingerprint=INTENT.fingerprint(),
        fee_cap_wei=fee_cap_wei,
        now_ms=1_000,
    )


def test_an_approval_binds_what_and_how_for_a_minute():
    approval = approve()
    assert approval.fingerprint == INTENT.fingerprint()
    assert approval.expires_at_ms == 1_000 + APPROVAL_MS
    assert (approval.gas_limit, approval.max_fee_wei, approval.priority_fee_wei) == (60_000, 10, 1)
    assert approval.sender == INTENT.sender


def test_the_fee_cap_is_the_smaller_of_twice_the_quote_and_the_settings():
    assert approve().fee_cap_wei == 2 * 60_000 * 10
    assert approve(fee_cap_wei=7).fee_cap_wei == 7


@pytest.mark.parametrize("outcome", [Outcome.DENY, Outcome.REQUIRE_APPROVAL])
def test_only_an_allow_yields_an_approval(outcome: Outcome):
    with pytest.raises(InvariantBroken):
        approve(outcome)


def test_a_payment_that_nobody_measured_is_never_approved():
    with pytest.raises(InvariantBroken):
        approve(facts=NO_FACTS)


def test_of_several_rules_that_admit_the_first_by_name_is_reported_whatever_their_order():
    rules = [rule("b"), rule("a", recipients=[ALICE]), rule("c")]
    for order in (rules, rules[::-1]):
        assert decide(compiled(*order), INTENT, Counters(), NO_FACTS, 0).reasons[0].rule == "a"


def test_counters_of_other_limits_than_those_that_match_are_an_error():
    policy = compiled(rule("a"), limits=[{"id": "n", "maxCount": 5, "window": {"rolling": "1h"}}])
    other = WindowUse(limit_id="m", group="", spent_units=0, held_units=0, count=0)
    for uses in ((), (other,), (other, other)):
        decision = decide(policy, INTENT, Counters(uses=uses), NO_FACTS, 0)
        assert decision.codes == (ReasonCode.ENGINE_ERROR,)


def test_reasons_are_cut_at_a_hundred():
    policy = compiled(*(rule(f"d{i}", "deny") for i in range(150)))
    assert len(decide(policy, INTENT, Counters(), NO_FACTS, 0).reasons) == 100


def test_a_list_that_is_too_long_to_be_merged_finds_the_same_rules():
    many = frozenset(f"0x{i:040x}" for i in range(MERGED_RECIPIENTS_MAX + 1))
    few = frozenset(list(many)[:3])
    table = RecipientTable([(many, "many"), (few, "few"), (None, "anyone"), (many, "again")])
    for address in (*many, "0x" + "ff" * 20):
        expected = (
            {"anyone"} | ({"many", "again"} if address in many else set()) | ({"few"} if address in few else set())
        )
        assert set(table.candidates(address)) == expected
        assert len(table.candidates(address)) == len(expected)


def test_what_speaks_about_a_payment_does_not_grow_with_the_rules_of_others():
    rules = [rule(f"r{i}", agents=[f"agent-{i}"]) for i in range(500)]
    bucket = compiled(*rules, rule("mine", agents=["refunds"])).bucket("refunds", INTENT.chain, USDC)
    assert [fit.rule.rule_id for fit in bucket.allow.items] == ["mine"]
    assert [fit.rule.rule_id for fit in bucket.allow.candidates(ALICE)] == ["mine"]


def test_agents_that_no_rule_names_share_one_bucket():
    policy = compiled(rule("a"), rule("b", agents=["refunds"]))
    assert policy.bucket("x", INTENT.chain, USDC) is policy.bucket("y", INTENT.chain, USDC)
    assert policy.bucket("refunds", INTENT.chain, USDC) is not policy.bucket("x", INTENT.chain, USDC)


PAYMENT = Payment(
    agent="refunds",
    operation="transfer",
    chain=ChainId("eip155:8453"),
    asset=USDC,
    to=ALICE,
    category="refund",
    amount_units=5,
    at_ms=0,
)


def test_a_match_names_each_part_that_refuses_and_an_empty_list_matches_nobody():
    nothing: frozenset[str] = frozenset()
    assert Matcher().matches(PAYMENT)
    assert Matcher(categories=nothing).mismatches(PAYMENT) == ("categories",)
    assert Matcher(agents=nothing, recipients=frozenset()).mismatches(PAYMENT) == ("agents", "recipients")


def test_an_amount_is_judged_only_for_an_asset_that_the_match_meets():
    bounded = Matcher(assets=frozenset({USDC}), amounts={USDC: (1, 4)})
    assert bounded.mismatches(PAYMENT) == ("amount",)
    other = PAYMENT._replace(asset=AssetId("eip155:8453/slip44:60"))
    assert bounded.mismatches(other) == ("assets",)
    assert not Matcher(amounts={USDC: (1, 9)}).matches(other)
