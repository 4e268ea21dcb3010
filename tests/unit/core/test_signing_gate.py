import json
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.identifiers import Address, AssetId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.local_key import LocalKey
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED, Registry, token_asset
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, Signed, check_signed, reseal, seal
from mcp_wallet.core.transaction import (
    decode_signed,
    encode_transfer,
    encode_unsigned,
    signing_hash,
)
from tests.approved import ALICE, ETH, EURC, KEY, MALLORY, REGISTRY, USDC, approved, sealed, with_approval

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "gate2.json").read_text("utf-8"))
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
APPROVE = bytes.fromhex("095ea7b3")
PERMIT = bytes.fromhex("d505accf")
SET_APPROVAL_FOR_ALL = bytes.fromhex("a22cb465")
TRANSFER_FROM = bytes.fromhex("23b872dd")


def code_of(found: Sealed | Signed | GateRefusal) -> str:
    return found.code if isinstance(found, GateRefusal) else "sealed"


# ------------------------------------------------------------------------------------------------- the honest path


@pytest.mark.parametrize("asset", [USDC, ETH], ids=["token", "native"])
def test_the_bytes_of_the_honest_builder_are_sealed(asset):
    payment = approved(asset)
    found = sealed(payment)
    assert (found.payment_id, found.fingerprint) == ("pay_test", payment.intent.fingerprint())
    assert (found.chain, found.sender, found.nonce) == (asset.chain, KEY.address, 7)
    assert found.unsigned == encode_unsigned(payment.transaction)


@pytest.mark.parametrize("asset", [USDC, ETH], ids=["token", "native"])
def test_what_the_key_signs_comes_back_with_a_hash_computed_here(asset):
    seal_ = sealed(approved(asset))
    raw = KEY.sign(seal_)
    signed = check_signed(seal_, raw)
    assert isinstance(signed, Signed)
    assert (signed.raw, signed.nonce, signed.payment_id) == (raw, 7, "pay_test")
    assert signed.transaction_hash == decode_signed(raw).hash


def test_signing_again_gives_the_same_bytes():
    assert KEY.sign(sealed(approved())) == KEY.sign(sealed(approved()))


# --------------------------------------------------------------------------------- a hostile builder, one field a time

TOKEN_CHANGES = {
    "recipient": ({"data": encode_transfer(MALLORY, 50_000_000)}, "FINGERPRINT_MISMATCH"),
    "one unit more": ({"data": encode_transfer(ALICE, 50_000_001)}, "FINGERPRINT_MISMATCH"),
    "one unit less": ({"data": encode_transfer(ALICE, 49_999_999)}, "FINGERPRINT_MISMATCH"),
    "another registered token": ({"to": EURC.token}, "FINGERPRINT_MISMATCH"),
    "another chain": ({"chain_number": 8453}, "FINGERPRINT_MISMATCH"),
    "the amount as native coin": ({"to": ALICE, "value_wei": 50_000_000, "data": b""}, "FINGERPRINT_MISMATCH"),
    "no call at all": ({"data": b""}, "FINGERPRINT_MISMATCH"),
    "an unknown contract": ({"to": MALLORY}, "TRANSACTION_INVALID"),
    "native coin beside the transfer": ({"value_wei": 1}, "TRANSACTION_INVALID"),
    "approve": ({"data": APPROVE + encode_transfer(MALLORY, 2**256 - 1)[4:]}, "TRANSACTION_INVALID"),
    "setApprovalForAll": ({"data": SET_APPROVAL_FOR_ALL + encode_transfer(MALLORY, 1)[4:]}, "TRANSACTION_INVALID"),
    "permit": ({"data": PERMIT + bytes(7 * 32)}, "TRANSACTION_INVALID"),
    "transferFrom": ({"data": TRANSFER_FROM + bytes(96)}, "TRANSACTION_INVALID"),
    "a word after the transfer": ({"data": encode_transfer(ALICE, 50_000_000) + bytes(32)}, "TRANSACTION_INVALID"),
    "dirty padding": (
        {"data": b"".join([encode_transfer(ALICE, 50_000_000)[:4], b"\1", encode_transfer(ALICE, 50_000_000)[5:]])},
        "TRANSACTION_INVALID",
    ),
    "nonce above": ({"nonce": 8}, "NONCE_MISMATCH"),
    "nonce below": ({"nonce": 6}, "NONCE_MISMATCH"),
    "more gas": ({"gas_limit": 65_001}, "FEE_CAP_EXCEEDED"),
    "less gas": ({"gas_limit": 64_999}, "TRANSACTION_INVALID"),
    "higher max fee": ({"max_fee_wei": 2_000_000_001}, "FEE_CAP_EXCEEDED"),
    "lower max fee": ({"max_fee_wei": 1_999_999_999}, "TRANSACTION_INVALID"),
    "higher tip": ({"priority_fee_wei": 1_000_000_001}, "FEE_CAP_EXCEEDED"),
    "lower tip": ({"priority_fee_wei": 999_999_999}, "TRANSACTION_INVALID"),
}


@pytest.mark.parametrize(("change", "code"), TOKEN_CHANGES.values(), ids=TOKEN_CHANGES)
def test_one_changed_field_of_a_token_transfer_is_refused_with_its_code(change, code):
    payment = approved(USDC)
    assert code_of(payment.seal(replace(payment.transaction, **change))) == code


NATIVE_CHANGES = {
    "recipient": ({"to": MALLORY}, "FINGERPRINT_MISMATCH"),
    "amount": ({"value_wei": 50_000_001}, "FINGERPRINT_MISMATCH"),
    "nothing": ({"value_wei": 0}, "FINGERPRINT_MISMATCH"),
    "a token transfer instead": (
        {"to": USDC.token, "value_wei": 0, "data": encode_transfer(ALICE, 50_000_000)},
        "FINGERPRINT_MISMATCH",
    ),
    "data beside the value": ({"data": b"\0"}, "TRANSACTION_INVALID"),
    "a fill of the nonce": ({"to": KEY.address, "value_wei": 0}, "FINGERPRINT_MISMATCH"),
}


@pytest.mark.parametrize(("change", "code"), NATIVE_CHANGES.values(), ids=NATIVE_CHANGES)
def test_one_changed_field_of_a_native_payment_is_refused_with_its_code(change, code):
    payment = approved(ETH)
    assert code_of(payment.seal(replace(payment.transaction, **change))) == code


MALFORMED = {
    "nothing": lambda good: b"",
    "a legacy transaction": lambda good: good[1:],
    "EIP-2930": lambda good: b"\x01" + good[1:],
    "EIP-7702": lambda good: b"\x04" + good[1:],
    "a trailing byte": lambda good: good + b"\0",
    "cut short": lambda good: good[:-1],
    "signed already": lambda good: KEY.sign(sealed(approved())),
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_bytes_that_are_no_plain_transaction_are_refused(change):
    payment = approved()
    assert code_of(payment.seal(change(encode_unsigned(payment.transaction)))) == "TRANSACTION_INVALID"


def test_a_refusal_says_what_the_bytes_pay_and_what_was_approved():
    payment = approved()
    found = payment.seal(replace(payment.transaction, data=encode_transfer(MALLORY, 60_000_000)))
    assert isinstance(found, GateRefusal)
    assert found.observed == f"60000000 units of {USDC.asset_id} to {MALLORY}"
    assert found.expected == f"50000000 units of {USDC.asset_id} to {ALICE}"


def test_the_intent_in_memory_counts_for_nothing_where_the_bytes_can_speak():
    payment = approved()
    lied = replace(payment, intent=payment.intent._replace(to=MALLORY, amount="1"))
    assert code_of(lied.seal(payment.transaction)) == "sealed"
    assert code_of(lied.seal(lied.transaction)) == "FINGERPRINT_MISMATCH"


@pytest.mark.parametrize("field", ["org_id", "agent_id", "intent_id", "operation", "reference", "category", "blind"])
def test_what_the_bytes_cannot_say_is_held_by_the_fingerprint(field):
    payment = approved()
    lied = replace(payment, intent=payment.intent._replace(**{field: "other"}))
    assert code_of(lied.seal(payment.transaction)) == "FINGERPRINT_MISMATCH"


def test_an_approval_for_another_sender_does_not_fit():
    payment = approved()
    other = replace(payment, approval=payment.approval._replace(sender=MALLORY))
    assert code_of(other.seal(payment.transaction)) == "FINGERPRINT_MISMATCH"


# ---------------------------------------------------------------------------------------------- time, cap, registry


def test_an_approval_is_good_until_its_last_millisecond_and_not_at_it():
    payment = approved()
    ends = payment.approval.expires_at_ms
    assert code_of(payment.seal(payment.transaction, now_ms=ends - 1)) == "sealed"
    assert code_of(payment.seal(payment.transaction, now_ms=ends)) == "APPROVAL_TOKEN_EXPIRED"


def test_bytes_sealed_in_time_are_sealed_again_after_a_restart_whenever_that_is():
    payment = approved()
    again = reseal(
        intent=payment.intent,
        asset=payment.asset,
        approval=with_approval(payment, expires_at_ms=0).approval,
        nonce=payment.nonce,
        unsigned=encode_unsigned(payment.transaction),
        registry=REGISTRY,
    )
    assert again == sealed(payment)


def test_the_whole_fee_stays_within_the_cap_even_when_each_part_is_approved():
    payment = approved()
    exact = payment.approval.gas_limit * payment.approval.max_fee_wei
    at_cap, beyond = (with_approval(payment, fee_cap_wei=exact - less) for less in (0, 1))
    assert code_of(at_cap.seal(at_cap.transaction)) == "sealed"
    assert code_of(beyond.seal(beyond.transaction)) == "FEE_CAP_EXCEEDED"


@pytest.mark.parametrize("asset", [USDC, ETH], ids=["token", "native"])
def test_an_asset_that_left_the_registry_is_not_paid(asset):
    payment = approved(asset)
    without = Registry(chains=SHIPPED.chains, assets=tuple(a for a in SHIPPED.assets if a != asset))
    found = reseal(
        intent=payment.intent,
        asset=asset,
        approval=payment.approval,
        nonce=payment.nonce,
        unsigned=encode_unsigned(payment.transaction),
        registry=without,
    )
    assert code_of(found) == "TRANSACTION_INVALID"


# --------------------------------------------------------------------------------------------------- proof by type


def test_nobody_but_the_gate_makes_a_sealed():
    with pytest.raises(InvariantBroken):
        Sealed(payment_id="pay", fingerprint="", chain=USDC.chain, sender=ALICE, nonce=0, unsigned=b"")


def test_a_changed_copy_of_a_sealed_is_not_one():
    with pytest.raises(InvariantBroken):
        replace(sealed(approved()), nonce=8)


# ----------------------------------------------------------------------------------------------- the signed bytes


def test_a_signature_of_another_key_does_not_leave():
    good = sealed(approved())
    found = check_signed(good, LocalKey(b"\1" * 32).sign(good))
    assert code_of(found) == "FINGERPRINT_MISMATCH"


def test_another_transaction_than_the_sealed_one_does_not_leave():
    assert code_of(check_signed(sealed(approved()), KEY.sign(sealed(approved(nonce=8))))) == "FINGERPRINT_MISMATCH"


def test_the_high_s_twin_of_a_signature_does_not_leave():
    good = sealed(approved())
    raw = KEY.sign(good)
    twin = _malleated(raw)
    assert _malleated(twin) == raw
    found = check_signed(good, twin)
    assert isinstance(found, GateRefusal)
    assert (found.code, "signature's s" in found.message) == (ReasonCode.TRANSACTION_INVALID, True)


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\xff" * 40, b"unsigned"], ids=["none", "short", "junk", "text"])
def test_what_is_no_signed_transaction_does_not_leave(raw):
    good = sealed(approved())
    assert code_of(check_signed(good, good.unsigned if raw == b"unsigned" else raw)) == "TRANSACTION_INVALID"


def _malleated(raw: bytes) -> bytes:
    """Return the other signature of the same key: y parity flipped, s taken from the curve's order."""
    parity, s = raw[-67], int.from_bytes(raw[-32:], "big")
    return raw[:-67] + bytes([0x81 - parity]) + raw[-66:-32] + (CURVE_ORDER - s).to_bytes(32, "big")


# -------------------------------------------------------------------------------------------------------- vectors


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
def test_the_vectors_are_answered_as_for_ever(vector):
    given = vector["input"]
    extra = tuple(token_asset(t["chain"], t["symbol"], t["address"], t["decimals"]) for t in given["tokens"])
    registry = Registry(chains=SHIPPED.chains, assets=(*SHIPPED.assets, *extra))
    payment = approved()
    approval = payment.approval._replace(
        fingerprint=given["approval"]["fingerprint"],
        chain=given["approval"]["chain"],
        sender=Address(given["approval"]["from"]),
        gas_limit=int(given["approval"]["gasLimit"]),
        max_fee_wei=int(given["approval"]["maxFeeWei"]),
        priority_fee_wei=int(given["approval"]["priorityFeeWei"]),
        fee_cap_wei=int(given["approval"]["feeCapWei"]),
        expires_at_ms=int(given["approval"]["expiresAtMs"]),
    )
    intent = _intent_of(given["intent"])
    found = seal(
        intent=intent,
        asset=registry.asset_by_id(AssetId(intent.asset)),
        approval=approval,
        nonce=int(given["nonce"]),
        unsigned=bytes.fromhex(given["unsigned"][2:]),
        registry=registry,
        now_ms=int(given["nowMs"]),
    )
    assert code_of(found) == vector["expected"]["code"]
    if isinstance(found, Sealed):
        assert "0x" + signing_hash(found.unsigned).hex() == vector["expected"]["signingHash"]


def test_the_vectors_show_every_code_of_the_gate():
    shown = {vector["expected"]["code"] for vector in VECTORS}
    assert shown >= {
        "sealed",
        ReasonCode.FINGERPRINT_MISMATCH,
        ReasonCode.TRANSACTION_INVALID,
        ReasonCode.FEE_CAP_EXCEEDED,
        ReasonCode.NONCE_MISMATCH,
        ReasonCode.APPROVAL_TOKEN_EXPIRED,
    }


def _intent_of(document: dict[str, str]) -> PaymentIntent:
    names = {
        "orgId": "org_id",
        "agentId": "agent_id",
        "intentId": "intent_id",
        "from": "sender",
        "memoHash": "memo_hash",
    }
    return PaymentIntent(**{names.get(k, k): v for k, v in document.items()})
