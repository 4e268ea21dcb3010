"""The resolved policy says what the words mean, and its hash names exactly that."""

import hashlib
import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet.core.canonical import canonical_bytes
from mcp_wallet.core.compile import CompiledPolicy, compile_policy
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.payees import AddressBook, Payee
from mcp_wallet.core.policy import load_policy
from mcp_wallet.core.policy_language import AmountMatch
from mcp_wallet.core.policy_terms import amount_bounds, units_at_least, units_at_most
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED
from mcp_wallet.core.resolve import policy_hash, resolve_policy
from mcp_wallet.core.settings import ChainSettings, Settings

ALICE, BOB, MALLORY = Address("0x" + "a1" * 20), Address("0x" + "b0" * 20), Address("0x" + "66" * 20)
BOOK = AddressBook(payees=(Payee(name="alice", address=ALICE, added_at_ms=5),))
BASE_USDC = AssetId("eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913")
BASE_ETH = AssetId("eip155:8453/slip44:60")
POLICY = f"""
version: 1
id: p
lists: {{friends: [alice, "{BOB}"], foes: {{file: foes.txt}}}}
rules:
  - id: pay
    effect: allow
    match:
      {{agents: [refunds], chains: [base], assets: [usdc, eth], recipients: {{list: friends}}, amount: {{gt: "0"}}}}
    perTransaction: {{max: "1.5", min: "0.000001"}}
  - {{id: big, effect: requireApproval, match: {{amount: {{gt: "1"}}}}, approval: {{approvers: [omar, nora], ttl: 2h}}}}
  - {{id: no, effect: deny, match: {{recipients: {{list: foes}}}}}}
limits:
  - {{id: day, match: {{assets: [usdc]}}, maxAmount: "5", maxCount: 9,
     groupBy: [asset, agent], window: {{rolling: 1d}}}}
cooldown: 30s
newRecipientHold: 1d
validity: {{notBefore: "1970-01-01T00:00:01.5Z"}}
"""
FOES = "# nobody\n\n0x" + "66" * 20 + "  # mallory\n"


def resolved(text: str = POLICY, foes: str = FOES, name: str = "p.yaml"):
    policy = load_policy(text, name=name, registry=SHIPPED, book=BOOK)
    return resolve_policy(policy, registry=SHIPPED, book=BOOK, read_list=lambda _: foes)


def compiled(document) -> CompiledPolicy:
    return compile_policy(
        document, version="1", settings=Settings(document={}, version="1", org_id="o", environment="t")
    )


def test_words_become_ids_addresses_base_units_and_milliseconds():
    document = resolved()
    pay, big, _ = document["rules"]
    assert document["lists"] == {"friends": [ALICE, BOB], "foes": ["0x" + "66" * 20]}
    assert pay["match"]["chains"] == ["eip155:8453"]
    assert pay["match"]["operations"] == ["transfer"]
    assert pay["match"]["amount"][BASE_USDC] == {"min": "1", "max": str(2**256 - 1)}
    assert pay["perTransaction"] == {
        BASE_ETH: {"max": "1500000000000000000", "min": "1000000000000"},
        BASE_USDC: {"max": "1500000", "min": "1"},
    }
    assert big["approval"] == {
        "quorum": "1",
        "excludeRequester": True,
        "ttl": "7200000",
        "channel": "outOfBand",
        "approvers": ["nora", "omar"],
    }
    assert document["limits"][0]["maxAmount"][BASE_USDC] == "5000000"
    assert document["limits"][0]["groupBy"] == ["agent", "asset"]
    assert (document["cooldown"], document["newRecipientHold"]) == ("30000", "86400000")
    assert document["validity"] == {"notBefore": "1500"}


def test_the_document_is_json_of_the_restricted_schema_and_survives_a_round_trip():
    document = resolved()
    assert json.loads(canonical_bytes(document)) == document
    assert compiled(json.loads(canonical_bytes(document))).hash == policy_hash(document)


def test_the_hash_commits_to_each_list_by_count_and_merkle_root():
    document = resolved()
    leaves = [hashlib.sha256(b"\x00" + a.encode()).digest() for a in (ALICE, BOB)]
    root = hashlib.sha256(b"\x01" + leaves[0] + leaves[1]).hexdigest()
    foe = hashlib.sha256(b"\x00" + b"0x" + b"66" * 20).hexdigest()
    committed = {**document, "lists": {"friends": {"count": "2", "root": root}, "foes": {"count": "1", "root": foe}}}
    expected = hashlib.sha256(b"mcp-wallet/policy/v1\n" + canonical_bytes(committed)).hexdigest()
    assert policy_hash(document) == "sha256:" + expected


def test_the_hash_does_not_depend_on_how_a_list_was_written_but_on_who_stands_on_it():
    same = POLICY.replace(f'[alice, "{BOB}"]', f'["{BOB}", "{ALICE}", alice]')
    assert policy_hash(resolved(same)) == policy_hash(resolved())
    assert policy_hash(resolved(foes="")) != policy_hash(resolved())


def test_a_list_file_is_refused_with_every_line_that_names_nobody():
    with pytest.raises(OwnerError) as refused:
        resolved(foes="alice\nbob\n0x12\n# fine\n")
    assert refused.value.code is ReasonCode.POLICY_INVALID
    assert [p.split(": ")[0] for p in refused.value.details["problems"].splitlines()] == [
        "foes.txt:2:1",
        "foes.txt:3:1",
    ]


def test_the_short_form_is_the_full_form_with_limits_per_agent_and_asset():
    short = {
        "perTransactionLimit": "1000",
        "dailyLimit": "5000",
        "recipientWhitelist": ["alice", BOB],
        "allowedAssets": ["usdc", "pol"],
        "maxTxPerHour": 3,
    }
    document = resolved(json.dumps(short), name="refund-agent.json")
    policy = compiled(document)
    assert [limit.limit_id for limit in policy.limits] == ["dailyLimit-usdc", "dailyLimit-pol", "maxTxPerHour"]
    assert all(limit.group_by == ("agent",) for limit in policy.limits)
    assert policy.limits[2].matcher.assets is None
    assert policy.per_transaction_max("anybody", BASE_USDC) == 1000
    assert policy.payable(BOOK) == ("alice",)
    single = resolved(json.dumps(short | {"allowedAssets": ["usdc"]}), name="x.json")
    assert [limit["id"] for limit in single["limits"]] == ["dailyLimit", "maxTxPerHour"]


def test_compiling_needs_nothing_but_the_document_and_the_settings():
    policy = compiled(resolved())
    assert policy.chains == ("eip155:8453",)
    assert (policy.cooldown_ms, policy.new_recipient_hold_ms, policy.horizon_ms) == (30_000, 86_400_000, 86_400_000)
    assert (policy.not_before_ms, policy.expires_at_ms, policy.approval_ttl_ms) == (1_500, None, 7_200_000)
    assert policy.per_transaction_max("refunds", BASE_USDC) == 1_500_000
    assert policy.per_transaction_max("refunds", AssetId("eip155:1/slip44:60")) is None
    assert policy.per_transaction_max("somebody", BASE_USDC) is None


def test_chains_without_a_node_are_not_offered():
    document = resolved(POLICY.replace("chains: [base], ", ""))
    assert len(compiled(document).chains) > 2
    only = ChainSettings(chain_id=SHIPPED.chains[0].chain_id, nodes=(), max_fee_wei=1, max_fee_per_day_wei=1)
    reached = Settings(document={}, version="1", org_id="o", environment="t", chains={only.chain_id: only})
    assert compile_policy(document, version="1", settings=reached).chains == (only.chain_id,)


def test_an_allow_list_makes_an_address_known_and_a_deny_list_does_not():
    policy = compiled(resolved())
    assert policy.lists(BOB)
    assert not policy.lists(MALLORY)
    assert policy.known_since(BOB) == 0
    assert policy.known_since(MALLORY) is None


def test_a_payee_is_known_since_it_was_added():
    settings = Settings(document={}, version="1", org_id="o", environment="t", book=BOOK)
    assert compile_policy(resolved(), version="1", settings=settings).known_since(ALICE) == 5


def test_a_counter_is_identified_by_what_it_counts_and_not_by_its_name_or_maximum():
    def key(text: str, foes: str = FOES) -> str:
        return compiled(resolved(text, foes)).limits[0].key

    assert key(POLICY) == key(POLICY.replace("id: day", "id: renamed").replace('"5"', '"7"'))
    assert key(POLICY) != key(POLICY.replace("rolling: 1d", "rolling: 2d"))
    listed = POLICY.replace("match: {assets: [usdc]}", "match: {assets: [usdc], recipients: {list: foes}}")
    assert key(listed) != key(listed, foes="0x" + "77" * 20)
    assert key(listed) == key(listed.replace("foes", "enemies"))


def test_limits_are_found_for_the_payments_that_they_match():
    policy = compiled(resolved())
    payment = Payment(
        agent="x",
        operation="transfer",
        chain=ChainId("eip155:8453"),
        asset=BASE_USDC,
        to=BOB,
        category="",
        amount_units=1,
        at_ms=0,
    )
    assert [limit.limit_id for limit in policy.limits_for(payment)] == ["day"]


@pytest.mark.parametrize("document", [None, [], {}, {"lists": {}}, {"rules": 1}, "x", {"lists": [], "rules": []}])
def test_a_document_that_is_not_a_resolved_policy_is_refused(document):
    with pytest.raises(OwnerError) as refused:
        compiled(document)
    assert refused.value.code is ReasonCode.POLICY_INVALID


amounts = st.decimals(min_value=0, max_value=10**6, places=9).map(lambda d: format(d, "f"))


@given(text=amounts, decimals=st.integers(min_value=0, max_value=18))
def test_rounding_to_units_never_goes_beyond_what_was_written(text: str, decimals: int):
    written = Fraction(text)
    assert Fraction(units_at_most(text, decimals), 10**decimals) <= written
    assert Fraction(units_at_most(text, decimals) + 1, 10**decimals) > written
    assert Fraction(units_at_least(text, decimals), 10**decimals) >= written


@given(bound=amounts, units=st.integers(min_value=1, max_value=10**9), decimals=st.integers(min_value=0, max_value=9))
def test_amount_bounds_mean_what_they_say(bound: str, units: int, decimals: int):
    human, written = Fraction(units, 10**decimals), Fraction(bound)
    for side, holds in {
        "gt": human > written,
        "gte": human >= written,
        "lt": human < written,
        "lte": human <= written,
    }.items():
        low, high = amount_bounds(AmountMatch.model_validate({side: bound}), decimals)
        assert (low <= units <= high) is holds
