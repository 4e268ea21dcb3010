"""The bytes of an EIP-1559 transaction: written one way, read back strictly.

Rules: type 2 only; every field canonical RLP (Yellow Paper, appendix B), integers without leading zeros; a recipient
of 20 bytes, so no creation; an empty access list; nothing after the end; a low-s signature. What is read, written
again, gives the same bytes. Everything else is `TransactionInvalid`, whatever the bytes are.

The reader is ours: a transaction is one flat list, so there is no nesting to recurse into, and start-up does not pay
for a general library, which the tests use as their oracle instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcp_wallet.core.identifiers import Address

TRANSACTION_TYPE: Final = 2
"""EIP-2718 type of an EIP-1559 transaction, the first byte."""
TRANSFER_SELECTOR: Final = bytes.fromhex("a9059cbb")
"""`transfer(address,uint256)` of ERC-20."""

_FIELDS: Final = 9
_SIGNED_FIELDS: Final = 12
_ACCESS_LIST: Final = 8
_TYPE_BYTE: Final = bytes([TRANSACTION_TYPE])
_CURVE_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_UINT64_MAX: Final = 2**64 - 1
_UINT256_MAX: Final = 2**256 - 1
_ADDRESS_BYTES: Final = 20
_ADDRESS_TEXT: Final = 42
_TRANSFER_BYTES: Final = 68

# RLP, first byte of an item: below 0x80 itself, then a string, from 0xC0 on a list; up to 55 bytes have a short header.
_STRING: Final = 0x80
_LIST: Final = 0xC0
_SHORT_MAX: Final = 55


class TransactionInvalid(Exception):  # noqa: N818  the word that the reason code uses
    """Bytes or fields that are not a plain EIP-1559 transaction; the message says why, in one line without a stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedTransaction:
    """What will be signed. Chain, nonce and gas fit 64 bits; wei and fees (per unit of gas) fit 256."""

    chain_number: int
    nonce: int
    priority_fee_wei: int
    max_fee_wei: int
    gas_limit: int
    to: Address
    value_wei: int
    data: bytes

    @property
    def fee_max_wei(self) -> int:
        """Most that it may cost beside its value: gas times max fee."""
        return self.gas_limit * self.max_fee_wei


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTransaction:
    """What was signed and by whom; sender and hash are computed here from the bytes, never taken from anyone."""

    unsigned: UnsignedTransaction
    unsigned_bytes: bytes
    sender: Address
    hash: str


def encode_unsigned(tx: UnsignedTransaction) -> bytes:
    """Return `0x02 || rlp([chain, nonce, priority fee, max fee, gas, to, value, data, []])` (EIP-1559).

    Raises:
        TransactionInvalid: a field is out of its range, or the priority fee is above the max fee.
    """
    _check_ranges(tx)
    items = [
        _encode_int(tx.chain_number),
        _encode_int(tx.nonce),
        _encode_int(tx.priority_fee_wei),
        _encode_int(tx.max_fee_wei),
        _encode_int(tx.gas_limit),
        _encode_string(_address_bytes(tx.to)),
        _encode_int(tx.value_wei),
        _encode_string(tx.data),
        bytes([_LIST]),
    ]
    return _TYPE_BYTE + _encode_list(items)


def decode_unsigned(raw: bytes) -> UnsignedTransaction:
    """Return the transaction that the bytes are; `encode_unsigned` of it gives the same bytes.

    Raises:
        TransactionInvalid: the bytes are anything else than one canonical unsigned transaction.
    """
    return _read_transaction(raw, _read_fields(raw, count=_FIELDS))


def signing_hash(unsigned_bytes: bytes) -> bytes:
    """Return the 32 bytes that a signer signs: keccak-256 of the unsigned bytes, type byte included (EIP-1559)."""
    from eth_hash.auto import keccak  # noqa: PLC0415  80 ms at start-up that most calls never need

    return keccak(unsigned_bytes)


def assemble_signed(unsigned_bytes: bytes, y_parity: int, r: int, s: int) -> bytes:
    """Return the transaction with its signature, ready to be sent.

    Args:
        unsigned_bytes: What was signed; read strictly first.
        y_parity: 0 or 1.
        r: From 1 to the curve's order less one.
        s: From 1 to half the curve's order (EIP-2); a signer that gives the other one is normalised by its adapter.

    Raises:
        TransactionInvalid: the bytes are not an unsigned transaction, or the signature is out of range.
    """
    fields = _read_fields(unsigned_bytes, count=_FIELDS)
    _read_transaction(unsigned_bytes, fields)
    _check_signature(y_parity=y_parity, r=r, s=s)
    return _join(fields, y_parity=y_parity, r=r, s=s)


def decode_signed(raw: bytes) -> SignedTransaction:
    """Return what signed bytes say, who signed them, and their hash.

    (1) They are 12 canonical fields. (2) The first nine are an unsigned transaction. (3) The signature is in range
    and low-s, so these bytes have no twin with another hash. (4) A public key comes out of it.

    Raises:
        TransactionInvalid: one of these does not hold.
    """
    fields = _read_fields(raw, count=_SIGNED_FIELDS)  # (1)
    unsigned_bytes = _TYPE_BYTE + _encode_list(_encode_fields(fields[:_FIELDS]))
    unsigned = _read_transaction(unsigned_bytes, fields[:_FIELDS])  # (2)
    y_parity, r, s = (_read_int(field, "signature") for field in fields[_FIELDS:])
    _check_signature(y_parity=y_parity, r=r, s=s)  # (3)
    if _join(fields[:_FIELDS], y_parity=y_parity, r=r, s=s) != raw:
        raise TransactionInvalid("the bytes are not in canonical form")
    return SignedTransaction(
        unsigned=unsigned,
        unsigned_bytes=unsigned_bytes,
        sender=_recover(signing_hash(unsigned_bytes), y_parity=y_parity, r=r, s=s),  # (4)
        hash="0x" + signing_hash(raw).hex(),
    )


def encode_transfer(to: Address, amount_units: int) -> bytes:
    """Return the call data of `transfer(to, amount_units)`: 4 bytes of selector, two words of 32 bytes (ERC-20)."""
    _check_range(amount_units, "amount", maximum=_UINT256_MAX)
    return TRANSFER_SELECTOR + _address_bytes(to).rjust(32, b"\0") + amount_units.to_bytes(32, "big")


def decode_transfer(data: bytes) -> tuple[Address, int]:
    """Return recipient and base units of a call that is exactly one `transfer(address,uint256)`.

    Raises:
        TransactionInvalid: another call, another length, or an address word with dirty padding.
    """
    if len(data) != _TRANSFER_BYTES:
        raise TransactionInvalid(f"a token transfer has 68 bytes of call data, not {len(data)}")
    if data[:4] != TRANSFER_SELECTOR:
        raise TransactionInvalid("the call is not `transfer(address,uint256)`")
    if any(data[4:16]):
        raise TransactionInvalid("the recipient's word is not padded with zeros")
    return Address("0x" + data[16:36].hex()), int.from_bytes(data[36:], "big")


# ------------------------------------------------------------------------------------------------- fields and ranges


def _read_transaction(unsigned_bytes: bytes, fields: Sequence[bytes]) -> UnsignedTransaction:
    to = fields[5]
    if len(to) != _ADDRESS_BYTES:
        raise TransactionInvalid("there is no recipient of 20 bytes; contract creation is never signed")
    tx = UnsignedTransaction(
        chain_number=_read_int(fields[0], "chain"),
        nonce=_read_int(fields[1], "nonce"),
        priority_fee_wei=_read_int(fields[2], "priority fee"),
        max_fee_wei=_read_int(fields[3], "max fee"),
        gas_limit=_read_int(fields[4], "gas limit"),
        to=Address("0x" + to.hex()),
        value_wei=_read_int(fields[6], "value"),
        data=fields[7],
    )
    if encode_unsigned(tx) != unsigned_bytes:
        raise TransactionInvalid("the bytes are not in canonical form")
    return tx


def _check_ranges(tx: UnsignedTransaction) -> None:
    _check_range(tx.chain_number, "chain", minimum=1, maximum=_UINT64_MAX)
    _check_range(tx.nonce, "nonce", maximum=_UINT64_MAX)
    _check_range(tx.gas_limit, "gas limit", maximum=_UINT64_MAX)
    _check_range(tx.max_fee_wei, "max fee", maximum=_UINT256_MAX)
    _check_range(tx.value_wei, "value", maximum=_UINT256_MAX)
    _check_range(tx.priority_fee_wei, "priority fee", maximum=_UINT256_MAX)
    if tx.priority_fee_wei > tx.max_fee_wei:
        raise TransactionInvalid("the priority fee is above the max fee")


def _check_signature(*, y_parity: int, r: int, s: int) -> None:
    _check_range(y_parity, "signature's y parity", maximum=1)
    _check_range(r, "signature's r", minimum=1, maximum=_CURVE_ORDER - 1)
    _check_range(s, "signature's s", minimum=1, maximum=_CURVE_ORDER // 2)


def _check_range(number: int, name: str, *, minimum: int = 0, maximum: int) -> None:
    if not minimum <= number <= maximum:
        raise TransactionInvalid(f"the {name} is out of range")


def _address_bytes(address: Address) -> bytes:
    try:
        raw = bytes.fromhex(address.removeprefix("0x"))
    except ValueError as problem:
        raise TransactionInvalid("the address is not hexadecimal") from problem
    if len(raw) != _ADDRESS_BYTES or len(address) != _ADDRESS_TEXT or address != address.lower():
        raise TransactionInvalid("the address is not `0x` and 40 lower-case hex digits")
    return raw


def _recover(digest: bytes, *, y_parity: int, r: int, s: int) -> Address:
    from coincurve import PublicKey  # noqa: PLC0415  start-up does not pay for it
    from eth_hash.auto import keccak  # noqa: PLC0415

    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([y_parity])
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError as problem:
        raise TransactionInvalid("no public key fits the signature") from problem
    return Address("0x" + keccak(key.format(compressed=False)[1:])[-_ADDRESS_BYTES:].hex())


# ---------------------------------------------------------------------------------------------- RLP of one flat list


def _read_fields(raw: bytes, *, count: int) -> list[bytes]:
    """Return the contents of exactly `count` fields; all are strings but the access list, which must be empty."""
    if raw[:1] != _TYPE_BYTE:
        raise TransactionInvalid("only transactions of type 2 (EIP-1559) are signed")
    is_list, at, end = _read_header(raw, 1)
    if not is_list:
        raise TransactionInvalid("the transaction is not a list of fields")
    if end != len(raw):
        raise TransactionInvalid("there are bytes after the end of the transaction")
    fields: list[bytes] = []
    while at < end:
        is_list, start, at = _read_header(raw, at)
        if at > end or len(fields) == count:
            raise TransactionInvalid(f"the transaction has not exactly {count} fields")
        if is_list != (len(fields) == _ACCESS_LIST) or (is_list and start != at):
            raise TransactionInvalid("a field is a list that should not be one, or the access list is not empty")
        fields.append(raw[start:at])
    if len(fields) != count:
        raise TransactionInvalid(f"the transaction has not exactly {count} fields")
    return fields


def _read_header(raw: bytes, at: int) -> tuple[bool, int, int]:
    """Return whether the item at `at` is a list, and where its content starts and ends."""
    if at >= len(raw):
        raise TransactionInvalid("the transaction ends too early")
    first = raw[at]
    if first < _STRING:
        return False, at, at + 1
    is_list = first >= _LIST
    length = first - (_LIST if is_list else _STRING)
    start = at + 1
    if length > _SHORT_MAX:
        start += length - _SHORT_MAX
        length = _read_long_length(raw[at + 1 : start], digits=length - _SHORT_MAX)
    end = start + length
    if end > len(raw):
        raise TransactionInvalid("the transaction ends too early")
    if not is_list and length == 1 and raw[start] < _STRING:
        raise TransactionInvalid("a single byte has a header that it does not need")
    return is_list, start, end


def _read_long_length(digits_read: bytes, *, digits: int) -> int:
    length = int.from_bytes(digits_read, "big")
    if len(digits_read) != digits or digits_read[0] == 0 or length <= _SHORT_MAX:
        raise TransactionInvalid("a length is cut off or not written in its shortest form")
    return length


def _read_int(field: bytes, name: str) -> int:
    if field[:1] == b"\0":
        raise TransactionInvalid(f"the {name} has leading zeros")
    return int.from_bytes(field, "big")


def _join(fields: Sequence[bytes], *, y_parity: int, r: int, s: int) -> bytes:
    return _TYPE_BYTE + _encode_list([*_encode_fields(fields), *map(_encode_int, (y_parity, r, s))])


def _encode_fields(fields: Sequence[bytes]) -> list[bytes]:
    return [bytes([_LIST]) if i == _ACCESS_LIST else _encode_string(field) for i, field in enumerate(fields)]


def _encode_int(number: int) -> bytes:
    return _encode_string(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _encode_string(content: bytes) -> bytes:
    if len(content) == 1 and content[0] < _STRING:
        return content
    return _header(_STRING, len(content)) + content


def _encode_list(items: Sequence[bytes]) -> bytes:
    content = b"".join(items)
    return _header(_LIST, len(content)) + content


def _header(kind: int, length: int) -> bytes:
    if length <= _SHORT_MAX:
        return bytes([kind + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([kind + _SHORT_MAX + len(digits)]) + digits
