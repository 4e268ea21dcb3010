"""Is every EIP-1559 transaction read and written in exactly one way, and is everything else refused?"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_account import Account
from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.transaction import (
    SignedTransaction,
    TransactionInvalid,
    UnsignedTransaction,
    assemble_signed,
    decode_signed,
    decode_transfer,
    decode_unsigned,
    encode_transfer,
    encode_unsigned,
    signing_hash,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "transactions.json").read_text("utf-8")
)
VALID = [vector for vector in VECTORS if "error" not in vector["expected"]]
HOSTILE = [vector for vector in VECTORS if "error" in vector["expected"]]
READERS: dict[str, Callable[[bytes], object]] = {
    "unsigned": decode_unsigned,
    "signed": decode_signed,
    "transfer": decode_transfer,
}
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = PrivateKey(b"\x11" * 32)
REFUND = UnsignedTransaction(
    chain_number=8453,
    nonce=7,
    priority_fee_wei=10**6,
    max_fee_wei=10**9,
    gas_limit=65_000,
    to=Address("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"),
    value_wei=0,
    data=encode_transfer(Address("0x" + "a1" * 20), 50_000_000),
)


def sign(unsigned_bytes: bytes, key: PrivateKey = KEY) -> bytes:
    signature = key.sign_msg_hash(signing_hash(unsigned_bytes))
    return assemble_signed(unsigned_bytes, signature.v, signature.r, signature.s)


SIGNED_REFUND = sign(encode_unsigned(REFUND))

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: Address("0x" + raw.hex()))
uint64s = st.integers(0, 2**64 - 1)
uint256s = st.integers(0, 2**256 - 1)


@st.composite
def transactions(draw: st.DrawFn) -> UnsignedTransaction:
    priority_fee_wei, max_fee_wei = sorted((draw(uint256s), draw(uint256s)))
    return UnsignedTransaction(
        chain_number=draw(st.integers(1, 2**64 - 1)),
        nonce=draw(uint64s),
        priority_fee_wei=priority_fee_wei,
        max_fee_wei=max_fee_wei,
        gas_limit=draw(uint64s),
        to=draw(addresses),
        value_wei=draw(uint256s),
        data=draw(st.binary(max_size=300)),
    )


# -------------------------------------------------------------------------------------------------------- the vectors


def shown(tx: UnsignedTransaction) -> dict[str, str]:
    return {
        "chainNumber": str(tx.chain_number),
        "nonce": str(tx.nonce),
        "priorityFeeWei": str(tx.priority_fee_wei),
        "maxFeeWei": str(tx.max_fee_wei),
        "gasLimit": str(tx.gas_limit),
        "to": tx.to,
        "valueWei": str(tx.value_wei),
        "data": "0x" + tx.data.hex(),
    }


def answer(kind: str, raw: bytes) -> dict[str, object]:
    match READERS[kind](raw):
        case UnsignedTransaction() as tx:
            return {"transaction": shown(tx), "signingHash": "0x" + signing_hash(raw).hex()}
        case SignedTransaction() as signed:
            return {
                "transaction": shown(signed.unsigned),
                "signingHash": "0x" + signing_hash(signed.unsigned_bytes).hex(),
                "sender": signed.sender,
                "hash": signed.hash,
            }
        case (to, units):
            return {"to": to, "amountUnits": str(units)}
        case other:
            pytest.fail(f"unexpected {other!r}")


def test_every_vector_has_an_id_of_its_own():
    assert len({vector["id"] for vector in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize("vector", VALID, ids=lambda vector: vector["id"])
def test_a_plain_transaction_is_read(vector: dict[str, Any]):
    assert answer(vector["input"]["kind"], bytes.fromhex(vector["input"]["bytes"][2:])) == vector["expected"]


@pytest.mark.parametrize("vector", HOSTILE, ids=lambda vector: vector["id"])
def test_anything_else_is_refused_with_its_reason(vector: dict[str, Any]):
    with pytest.raises(TransactionInvalid) as problem:
        answer(vector["input"]["kind"], bytes.fromhex(vector["input"]["bytes"][2:]))
    assert vector["expected"]["says"] in str(problem.value)
    assert "\n" not in str(problem.value)


# --------------------------------------------------------------------------------------------- others read it the same


@given(transactions())
def test_an_independent_encoder_writes_the_same_unsigned_bytes(tx: UnsignedTransaction):
    fields: list[object] = [tx.chain_number, tx.nonce, tx.priority_fee_wei, tx.max_fee_wei, tx.gas_limit]
    fields += [bytes.fromhex(tx.to[2:]), tx.value_wei, tx.data, []]
    raw = encode_unsigned(tx)
    assert raw == b"\x02" + rlp.encode(fields)
    assert decode_unsigned(raw) == tx


@given(transactions(), st.integers(1, CURVE_ORDER - 1))
@example(tx=REFUND, secret=1)
def test_a_wallet_library_signs_what_we_read(tx: UnsignedTransaction, secret: int):
    assume(int(tx.to, 16))  # it takes the zero address for a creation; see the vector `zero-recipient`
    account = Account.from_key(secret.to_bytes(32, "big"))
    oracle = account.sign_transaction(
        {
            "type": 2,
            "chainId": tx.chain_number,
            "nonce": tx.nonce,
            "maxPriorityFeePerGas": tx.priority_fee_wei,
            "maxFeePerGas": tx.max_fee_wei,
            "gas": tx.gas_limit,
            "to": bytes.fromhex(tx.to[2:]),
            "value": tx.value_wei,
            "data": tx.data,
        }
    )
    raw = encode_unsigned(tx)
    assert assemble_signed(raw, oracle.v, oracle.r, oracle.s) == oracle.raw_transaction
    assert decode_signed(bytes(oracle.raw_transaction)) == SignedTransaction(
        unsigned=tx, unsigned_bytes=raw, sender=Address(account.address.lower()), hash=oracle.hash.to_0x_hex()
    )


# ------------------------------------------------------------------------------------------------------------- fuzzing


def read_or_refuse(kind: str, raw: bytes) -> object | None:
    """Return what a reader makes of the bytes, None when it refuses; any other exception fails the test."""
    try:
        return READERS[kind](raw)
    except TransactionInvalid:
        return None


@given(
    st.sampled_from(sorted(READERS)), st.binary(max_size=400), st.sampled_from([b"", b"\x02", b"\x02\xf8", b"\x02\xc9"])
)
def test_random_bytes_are_refused_and_never_crash(kind: str, raw: bytes, prefix: bytes):
    assert read_or_refuse(kind, prefix + raw) is None


@given(transactions(), st.booleans(), st.data())
def test_a_changed_byte_is_refused_or_read_as_what_it_now_is(
    tx: UnsignedTransaction, signed: bool, data: st.DataObject
):
    raw = encode_unsigned(tx)
    raw = sign(raw) if signed else raw
    at = data.draw(st.integers(0, len(raw) - 1))
    cut = data.draw(st.integers(0, 2))
    mutant = raw[:at] + data.draw(st.binary(max_size=3)) + raw[at + cut :]
    match read_or_refuse("signed" if signed else "unsigned", mutant):
        case UnsignedTransaction() as read:
            assert encode_unsigned(read) == mutant
        case SignedTransaction() as read:
            assert read.hash == "0x" + keccak(mutant).hex()
            assert read.unsigned_bytes == encode_unsigned(read.unsigned)
            assert (read.unsigned == tx and read.sender == KEY.public_key.to_address()) == (mutant == raw)


@given(st.recursive(st.binary(max_size=33), lambda inner: st.lists(inner, max_size=13), max_leaves=30), st.booleans())
def test_any_other_rlp_is_refused_or_is_canonical(tree: object, signed: bool):
    raw = b"\x02" + rlp.encode(tree)
    read = read_or_refuse("signed" if signed else "unsigned", raw)
    assert read is None or (isinstance(read, UnsignedTransaction) and encode_unsigned(read) == raw)


# ---------------------------------------------------------------------------------------------------- writing strictly


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chain_number", 0),
        ("chain_number", 2**64),
        ("nonce", -1),
        ("nonce", 2**64),
        ("gas_limit", -1),
        ("gas_limit", 2**64),
        ("value_wei", -1),
        ("value_wei", 2**256),
        ("max_fee_wei", 2**256),
        ("max_fee_wei", REFUND.priority_fee_wei - 1),
        ("priority_fee_wei", -1),
        ("priority_fee_wei", REFUND.max_fee_wei + 1),
        ("to", ""),
        ("to", "0x"),
        ("to", "alice"),
        ("to", "0x" + "g" * 40),
        ("to", "0x" + "a1" * 19),
        ("to", "0x" + "a1" * 21),
        ("to", "0x" + "A1" * 20),
        ("to", "0X" + "a1" * 20),
        ("to", "a1" * 21),
        ("to", "0x" + "a1" * 19 + " b"),
        ("to", "0x" + "\uff11" * 40),
    ],
)
def test_a_field_out_of_range_is_never_written(field: str, value: Any):
    with pytest.raises(TransactionInvalid):
        encode_unsigned(replace(REFUND, **{field: value}))


@pytest.mark.parametrize(
    ("y_parity", "r", "s"),
    [(2, 1, 1), (-1, 1, 1), (27, 1, 1), (0, 0, 1), (0, 1, 0), (0, CURVE_ORDER, 1), (0, 1, CURVE_ORDER // 2 + 1)],
)
def test_a_signature_out_of_range_is_never_attached(y_parity: int, r: int, s: int):
    with pytest.raises(TransactionInvalid, match="out of range"):
        assemble_signed(encode_unsigned(REFUND), y_parity, r, s)


@pytest.mark.parametrize("raw", [b"", SIGNED_REFUND, encode_unsigned(REFUND)[:-1], b"\x02\xc0"])
def test_a_signature_is_attached_to_an_unsigned_transaction_only(raw: bytes):
    with pytest.raises(TransactionInvalid):
        assemble_signed(raw, 0, 1, 1)


@given(addresses, uint256s)
def test_a_transfer_is_read_as_it_was_written(to: Address, units: int):
    data = encode_transfer(to, units)
    assert len(data) == 68
    assert decode_transfer(data) == (to, units)


@pytest.mark.parametrize("units", [-1, 2**256])
def test_an_amount_out_of_range_is_never_written(units: int):
    with pytest.raises(TransactionInvalid, match="amount"):
        encode_transfer(REFUND.to, units)
