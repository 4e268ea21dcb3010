"""What left the account without this ledger is found; what anybody can make appear is not looked at."""

import pytest

from mcp_wallet.adapters.evm.wire import parse_outgoing
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.outflow import Books, Outgoing, Sighting, unexplained
from mcp_wallet.core.settlement_gate import TRANSFER_TOPIC

ACCOUNT, USDC, SPAM = Address("0x" + "5e" * 20), Address("0x" + "70" * 20), Address("0x" + "66" * 20)
OURS, THEIRS = "0x" + "1" * 64, "0x" + "2" * 64


def seen(*hashes, nonce=3, native_wei=1000):
    transfers = tuple(Outgoing(token=USDC, to="0x" + "a1" * 20, units=5, transaction_hash=h) for h in hashes)
    return Sighting(block=9, nonce=nonce, native_wei=native_wei, transfers=transfers)


BOOKS = Books(hashes={OURS}, nonce_max=3, native_least_wei=1000)


@pytest.mark.parametrize(
    ("sighting", "word"),
    [
        (seen(OURS), ""),
        (seen(), ""),
        (seen(OURS, native_wei=5000), ""),
        (seen(OURS, nonce=2), ""),
        (seen(OURS, THEIRS), "5 units"),
        (seen(OURS, nonce=4), "4 transactions"),
        (seen(OURS, native_wei=999), "1 wei"),
    ],
)
def test_only_what_no_payment_and_no_fee_explains_is_named(sighting, word):
    found = unexplained(sighting, BOOKS)
    assert word in found
    assert bool(found) is bool(word)


def test_the_balance_is_not_judged_while_something_is_under_way():
    books = Books(hashes=(), nonce_max=3, native_least_wei=None)
    assert unexplained(seen(native_wei=0), books) == ""


def log(**changes):
    fields = {
        "address": USDC,
        "topics": [TRANSFER_TOPIC, _word(ACCOUNT), _word("0x" + "a1" * 20)],
        "data": f"0x{5:064x}",
        "transactionHash": THEIRS,
    }
    return fields | changes


def _word(address):
    return "0x" + address[2:].rjust(64, "0")


@pytest.mark.parametrize(
    "stranger",
    [
        log(data=f"0x{0:064x}"),
        log(address=SPAM),
        log(topics=[TRANSFER_TOPIC, _word("0x" + "a1" * 20), _word(ACCOUNT)]),
    ],
    ids=["a transfer of nothing", "a token of their own", "a gift"],
)
def test_a_stranger_makes_nothing_appear_as_an_outflow(stranger):
    assert parse_outgoing([stranger], account=ACCOUNT, tokens=(USDC,)) == ()
    assert len(parse_outgoing([stranger, log()], account=ACCOUNT, tokens=(USDC,))) == 1
