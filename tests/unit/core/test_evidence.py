"""What frees a payment's budget is proven: final, and said alike by two nodes or by one that is trusted."""

import pytest

from mcp_wallet.core import evidence
from mcp_wallet.core.evidence import Proof, judge
from mcp_wallet.core.settlement_gate import Receipt

NONCE = 7


def receipt(status):
    return Receipt(
        transaction_hash="0x" + "1" * 64,
        status=status,
        block_number=5,
        block_hash="0x" + "b" * 64,
        sender="0x" + "5e" * 20,
        to="0x" + "70" * 20,
        gas_used=50_000,
        effective_gas_price_wei=1,
        logs=(),
    )


UNUSED = evidence.Testimony(final_nonce=NONCE, receipt=None)
TAKEN = evidence.Testimony(final_nonce=NONCE + 1, receipt=None)
REVERTED = evidence.Testimony(final_nonce=NONCE + 1, receipt=receipt(0))
PAID = evidence.Testimony(final_nonce=NONCE + 1, receipt=receipt(1))


@pytest.mark.parametrize(
    ("said", "trusted", "proof"),
    [
        ([], True, Proof.NOTHING),
        ([TAKEN], False, Proof.NOTHING),
        ([REVERTED], False, Proof.NOTHING),
        ([TAKEN], True, Proof.NONCE_TAKEN),
        ([REVERTED], True, Proof.REVERTED),
        ([TAKEN, TAKEN], False, Proof.NONCE_TAKEN),
        ([REVERTED, REVERTED], False, Proof.REVERTED),
        ([REVERTED, UNUSED], False, Proof.NOTHING),
        ([TAKEN, PAID], False, Proof.NOTHING),
        ([TAKEN, PAID], True, Proof.NOTHING),
        ([REVERTED, TAKEN], False, Proof.NOTHING),
        ([UNUSED, UNUSED], True, Proof.NOTHING),
        ([PAID, PAID], True, Proof.NOTHING),
        ([TAKEN, TAKEN, PAID], False, Proof.NOTHING),
    ],
)
def test_a_failure_is_proven_by_two_who_agree_or_one_who_is_trusted_and_nobody_who_objects(said, trusted, proof):
    assert judge(said, nonce=NONCE, trust_single_node=trusted)[0] is proof


def test_a_proven_revert_comes_with_its_receipt():
    assert judge([REVERTED, REVERTED], nonce=NONCE, trust_single_node=False) == (Proof.REVERTED, REVERTED.receipt)
