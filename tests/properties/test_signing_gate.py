"""Gate 2 for all inputs: nothing but the one honest transaction is ever sealed."""

from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, Signed, check_signed
from mcp_wallet.core.transaction import TransactionInvalid, encode_transfer, encode_unsigned
from tests.approved import ALICE, ETH, EURC, KEY, MALLORY, USDC, Approved, approved, sealed

uint64 = st.integers(0, 2**64 - 1)
uint256 = st.integers(0, 2**256 - 1)
addresses = st.one_of(
    st.sampled_from([ALICE, MALLORY, KEY.address, EURC.token, USDC.token]),
    st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex())),
)
calls = st.one_of(
    st.just(b""),
    st.binary(max_size=100),
    st.builds(encode_transfer, addresses, uint256),
    st.binary(min_size=68, max_size=68),
)
payments = st.builds(
    approved, st.sampled_from([USDC, ETH, EURC]), amount_units=st.integers(1, 2**256 - 1), nonce=uint64
)
changes = st.one_of(
    st.tuples(st.just("chain_number"), st.one_of(st.sampled_from([1, 8453]), st.integers(1, 2**64 - 1))),
    st.tuples(st.just("nonce"), uint64),
    st.tuples(st.sampled_from(["priority_fee_wei", "max_fee_wei"]), uint256),
    st.tuples(st.just("gas_limit"), uint64),
    st.tuples(st.just("to"), addresses),
    st.tuples(st.just("value_wei"), uint256),
    st.tuples(st.just("data"), calls),
)


@given(payments)
def test_the_honest_bytes_are_always_sealed_and_always_signed(payment: Approved):
    good = sealed(payment)
    assert isinstance(check_signed(good, KEY.sign(good)), Signed)


@given(payments, changes)
def test_any_one_changed_field_is_refused(payment: Approved, change: tuple[str, Any]):
    changed = replace(payment.transaction, **dict([change]))
    assume(changed != payment.transaction)
    try:
        raw = encode_unsigned(changed)
    except TransactionInvalid:
        return  # no bytes can say this
    assert isinstance(payment.seal(raw), GateRefusal)


@given(payments, st.lists(changes, min_size=1, max_size=8))
def test_any_set_of_changed_fields_is_refused(payment: Approved, several: list[tuple[str, Any]]):
    changed = replace(payment.transaction, **dict(several))
    assume(changed != payment.transaction)
    try:
        raw = encode_unsigned(changed)
    except TransactionInvalid:
        return
    assert isinstance(payment.seal(raw), GateRefusal)


@given(payments, st.data())
def test_any_one_changed_byte_is_refused(payment: Approved, data: st.DataObject):
    good = encode_unsigned(payment.transaction)
    at = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != good[at]))
    assert isinstance(payment.seal(good[:at] + bytes([byte]) + good[at + 1 :]), GateRefusal)


@given(payments, st.binary(max_size=200))
def test_no_bytes_make_the_gate_fail_instead_of_refusing(payment: Approved, junk: bytes):
    assert isinstance(payment.seal(junk), GateRefusal)
    assert isinstance(payment.seal(b"\x02" + junk), GateRefusal)


@given(payments, st.data())
def test_any_one_changed_byte_of_the_signed_bytes_is_refused(payment: Approved, data: st.DataObject):
    good = sealed(payment)
    raw = KEY.sign(good)
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != raw[at]))
    assert isinstance(check_signed(good, raw[:at] + bytes([byte]) + raw[at + 1 :]), GateRefusal)


@given(payments, payments)
def test_one_payments_bytes_are_never_anothers(one: Approved, other: Approved):
    assume(one != other)
    found = one.seal(encode_unsigned(other.transaction))
    assert not isinstance(found, Sealed) or one.transaction == other.transaction
