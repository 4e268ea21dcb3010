"""A replacement is the payment that was signed before, byte for byte but for higher fees within the cap."""

from dataclasses import replace

import pytest

from mcp_wallet.core.building import build_payment, build_replacement
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, check_signed, seal_replacement
from mcp_wallet.core.transaction import decode_unsigned, encode_unsigned
from tests.approved import ETH, KEY, MALLORY, USDC, approved


def original_of(payment):
    return build_payment(payment.intent, payment.asset, payment.approval, payment.nonce)


def sealed_as(payment, unsigned, **named):
    return seal_replacement(
        approval=payment.approval, nonce=payment.nonce, original=original_of(payment), unsigned=unsigned, **named
    )


@pytest.mark.parametrize("asset", [USDC, ETH])
def test_both_fees_are_an_eighth_higher_and_nothing_else_differs(asset):
    payment = approved(asset)
    before, after = (decode_unsigned(b) for b in (original_of(payment), build_replacement(original_of(payment))))
    assert (after.max_fee_wei * 8, after.priority_fee_wei * 8) == (before.max_fee_wei * 9, before.priority_fee_wei * 9)
    assert replace(after, max_fee_wei=before.max_fee_wei, priority_fee_wei=before.priority_fee_wei) == before
    sealed = sealed_as(payment, encode_unsigned(after))
    assert isinstance(sealed, Sealed)
    assert not isinstance(check_signed(sealed, KEY.sign(sealed)), GateRefusal)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": MALLORY}, ReasonCode.FINGERPRINT_MISMATCH),
        ({"value_wei": 1}, ReasonCode.FINGERPRINT_MISMATCH),
        ({"nonce": 8}, ReasonCode.FINGERPRINT_MISMATCH),
        ({"gas_limit": 65_001}, ReasonCode.FINGERPRINT_MISMATCH),
        ({"chain_number": 1}, ReasonCode.FINGERPRINT_MISMATCH),
        ({"data": b""}, ReasonCode.FINGERPRINT_MISMATCH),
        ({"max_fee_wei": 2_000_000_000}, ReasonCode.TRANSACTION_INVALID),
        ({"priority_fee_wei": 1_000_000_000}, ReasonCode.TRANSACTION_INVALID),
        ({"max_fee_wei": 4_000_000_001}, ReasonCode.FEE_CAP_EXCEEDED),
    ],
)
def test_whatever_else_differs_is_never_signed(change, code):
    payment = approved()
    bumped = decode_unsigned(build_replacement(original_of(payment)))
    refused = sealed_as(payment, encode_unsigned(replace(bumped, **change)))
    assert isinstance(refused, GateRefusal)
    assert refused.code is code


def test_bytes_that_are_no_transaction_are_never_signed():
    payment = approved()
    assert isinstance(sealed_as(payment, original_of(payment) + b"\0"), GateRefusal)
