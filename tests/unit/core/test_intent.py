"""From an untrusted request to a draft, and from a draft to the fingerprint."""

import json
from pathlib import Path

import pytest

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.intent import Agent, PaymentIntent, PaymentRequest, parse_request
from mcp_wallet.core.payees import AddressBook, Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED

ALICE = Address("0x" + "a1" * 20)
WALLET = Address("0x" + "5e" * 20)
BOOK = AddressBook(payees=(Payee(name="alice", address=ALICE, category="refund"),))
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "fingerprints.json").read_text())


def agent(*chains):
    return Agent(
        org_id="org_1",
        agent_id="agent-1",
        environment="test",
        sender=WALLET,
        chains=tuple(ChainId(c) for c in chains or ("eip155:8453",)),
        policy_hash="",
        category="general",
    )


def parse(**changes):
    who = changes.pop("who", agent())
    return parse_request(
        PaymentRequest(**({"to": "alice", "amount": "12.50"} | changes)), agent=who, registry=SHIPPED, book=BOOK
    )


def test_a_payee_name_stands_for_its_address_and_category():
    draft = parse()
    assert (draft.to, draft.payee, draft.category, draft.amount_units) == (ALICE, "alice", "refund", 12_500_000)


def test_an_address_of_the_book_gets_its_name_and_a_stranger_gets_the_agents_category():
    assert parse(to=ALICE).payee == "alice"
    stranger = parse(to="0x" + "77" * 20)
    assert (stranger.payee, stranger.category) == ("", "general")


def test_an_account_of_the_payments_chain_is_an_address():
    assert parse(to="eip155:8453:" + ALICE).to == ALICE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": "eip155:1:" + ALICE}, "RECIPIENT_INVALID"),
        ({"to": "0x" + "0" * 40}, "RECIPIENT_INVALID"),
        ({"to": "0x" + "0" * 39 + "1"}, "RECIPIENT_INVALID"),
        ({"to": WALLET}, "RECIPIENT_INVALID"),
        ({"to": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"}, "RECIPIENT_INVALID"),
        ({"to": 5}, "RECIPIENT_INVALID"),
        ({"to": "nobody"}, "RECIPIENT_UNKNOWN"),
        ({"asset": "doge"}, "ASSET_UNKNOWN"),
        ({"asset": None}, "INTENT_INVALID"),
        ({"chain": "mars"}, "CHAIN_UNKNOWN"),
        ({"who": agent("eip155:1", "eip155:8453")}, "CHAIN_UNKNOWN"),
        ({"amount": 1.5}, "AMOUNT_INVALID"),
        ({"amount": True}, "AMOUNT_INVALID"),
        ({"amount": "1e3"}, "AMOUNT_INVALID"),
        ({"amount": "0.0000001"}, "AMOUNT_INVALID"),
        ({"reference": "x" * 129}, "INTENT_INVALID"),
        ({"reference": "a\u200bb"}, "INTENT_INVALID"),
        ({"memo": "a\u202eb"}, "INTENT_INVALID"),
        ({"memo": "a\nb"}, "INTENT_INVALID"),
        ({"memo": "\ud800"}, "INTENT_INVALID"),
        ({"memo": "x" * 257}, "INTENT_INVALID"),
        ({"idempotency_key": "a b"}, "INTENT_INVALID"),
        ({"idempotency_key": "k" * 65}, "INTENT_INVALID"),
    ],
)
def test_each_bad_argument_has_its_code_and_one_sentence(changes, code):
    with pytest.raises(CallerError) as caught:
        parse(**changes)
    assert caught.value.code == ReasonCode(code)
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message


def test_text_is_kept_in_one_normal_form():
    assert parse(reference="cafe\u0301").reference == "caf\u00e9"


def test_a_json_integer_is_human_units():
    assert parse(amount=5).amount_units == 5_000_000


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
def test_a_fingerprint_is_the_same_for_ever(vector):
    fields = {("sender" if k == "from" else _snake(k)): v for k, v in vector["input"].items()}
    assert PaymentIntent(**fields).fingerprint() == vector["expected"]


def _snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name)
