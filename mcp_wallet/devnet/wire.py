"""JSON-RPC values in and out: parameters become numbers and bytes or `RpcError`, chain objects become JSON.

Forms and error codes are geth's: quantities are hex without leading zeros, absent values are null.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from eth.abc import BlockAPI, LogAPI, ReceiptAPI, SignedTransactionAPI

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
REFUSED: Final = -32000
REVERTED: Final = 3

BLOCK_TAGS: Final = frozenset({"latest", "pending", "safe", "finalized"})
"""All name the newest block: what is mined here is final, and `pending` has no block of its own."""

_QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DATA = re.compile(r"0x((?:[0-9a-fA-F]{2})*)")
_ERROR_STRING: Final = bytes.fromhex("08c379a0")
_WORD: Final = 32


class RpcError(Exception):
    """An answer with `error` in it; `data` is a revert's."""

    def __init__(self, message: str, code: int = REFUSED, data: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.data = data

    def to_json(self) -> dict[str, Json]:
        """Return the error object."""
        error: dict[str, Json] = {"code": self.code, "message": self.message}
        return error if self.data is None else {**error, "data": self.data}


# ------------------------------------------------------------------------------------------------------- values in


def parse_quantity(value: object, name: str = "quantity") -> int:
    """Return the number of a hex quantity; a JSON integer is taken too, as some clients send it."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value, 16)
    raise RpcError(f"invalid argument: {name} is not a hex quantity", INVALID_PARAMS)


def parse_bytes(value: object, name: str = "data", *, length: int | None = None) -> bytes:
    """Return the bytes of hex data, of a fixed length when one is given."""
    match = _DATA.fullmatch(value) if isinstance(value, str) else None
    raw = bytes.fromhex(match[1]) if match else None
    if raw is None or length not in (None, len(raw)):
        raise RpcError(f"invalid argument: {name} is not hex data of the expected length", INVALID_PARAMS)
    return raw


def parse_address(value: object, name: str = "address") -> bytes:
    """Return the 20 bytes of an address; its checksum is the sender's business."""
    return parse_bytes(value, name, length=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What `eth_call` and `eth_estimateGas` ask for; an absent fee means free of charge."""

    sender: bytes
    to: bytes
    value_wei: int
    data: bytes
    gas: int | None
    max_fee_wei: int | None
    priority_fee_wei: int


def parse_call(value: object) -> Call:
    """Return the call of a transaction object; fields that do not matter to its effect are ignored."""
    if not isinstance(value, dict):
        raise RpcError("invalid argument: the transaction is not an object", INVALID_PARAMS)
    given: Mapping[str, object] = {key: field for key, field in value.items() if field is not None}
    max_fee = given.get("maxFeePerGas", given.get("gasPrice"))
    tip = given.get("maxPriorityFeePerGas", given.get("gasPrice", 0))
    return Call(
        sender=parse_address(given.get("from", "0x" + "00" * 20), "from"),
        to=parse_address(given["to"], "to") if "to" in given else b"",
        value_wei=parse_quantity(given.get("value", 0), "value"),
        data=parse_bytes(given.get("input", given.get("data", "0x")), "data"),
        gas=parse_quantity(given["gas"], "gas") if "gas" in given else None,
        max_fee_wei=None if max_fee is None else parse_quantity(max_fee, "fee"),
        priority_fee_wei=parse_quantity(tip, "priority fee"),
    )


# ------------------------------------------------------------------------------------------------------ values out


def hex_data(raw: bytes) -> str:
    """Return bytes as `0x` and lower-case hex."""
    return "0x" + bytes(raw).hex()


def block_json(block: BlockAPI, *, full: bool) -> dict[str, Json]:
    """Return a mined block, with its transactions or only their hashes."""
    header: Any = block.header
    transactions: list[Json] = [
        transaction_json(tx, block, index) if full else hex_data(tx.hash) for index, tx in enumerate(block.transactions)
    ]
    return {
        "number": hex(header.block_number),
        "hash": hex_data(header.hash),
        "parentHash": hex_data(header.parent_hash),
        "nonce": hex_data(header.nonce),
        "sha3Uncles": hex_data(header.uncles_hash),
        "logsBloom": hex_data(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": hex_data(header.transaction_root),
        "stateRoot": hex_data(header.state_root),
        "receiptsRoot": hex_data(header.receipt_root),
        "miner": hex_data(header.coinbase),
        "difficulty": hex(header.difficulty),
        "totalDifficulty": "0x0",
        "extraData": hex_data(header.extra_data),
        "mixHash": hex_data(header.mix_hash),
        "size": hex(len(header.as_dict()) * _WORD + sum(len(tx.encode()) for tx in block.transactions)),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "baseFeePerGas": hex(header.base_fee_per_gas),
        "transactions": transactions,
        "uncles": [],
    }


def transaction_json(tx: SignedTransactionAPI, block: BlockAPI | None = None, index: int = 0) -> dict[str, Json]:
    """Return a transaction; the block is null while it waits in the pool."""
    fields: dict[str, Json] = {
        "type": hex(type_of(tx)),
        "hash": hex_data(tx.hash),
        "nonce": hex(tx.nonce),
        "blockHash": None if block is None else hex_data(block.hash),
        "blockNumber": None if block is None else hex(block.number),
        "transactionIndex": None if block is None else hex(index),
        "from": hex_data(tx.sender),
        "to": hex_data(tx.to) if tx.to else None,
        "value": hex(tx.value),
        "gas": hex(tx.gas),
        "gasPrice": hex(tx.max_fee_per_gas if block is None else effective_price_wei(tx, block)),
        "input": hex_data(tx.data),
        "chainId": None if tx.chain_id is None else hex(tx.chain_id),
        "v": hex(tx.y_parity if type_of(tx) else getattr(tx, "v", 0)),
        "r": hex(tx.r),
        "s": hex(tx.s),
    }
    if type_of(tx):
        fields |= {"accessList": _access_list(tx), "yParity": hex(tx.y_parity)}
    if type_of(tx) > 1:
        fields |= {"maxFeePerGas": hex(tx.max_fee_per_gas), "maxPriorityFeePerGas": hex(tx.max_priority_fee_per_gas)}
    return fields


def receipt_json(
    tx: SignedTransactionAPI, receipt: ReceiptAPI, *, block: BlockAPI, index: int, gas_before: int, logs_before: int
) -> dict[str, Json]:
    """Return the receipt of a mined transaction.

    Args:
        tx: The transaction.
        receipt: What it did; its gas is the block's so far.
        block: Where it is.
        index: Its place there.
        gas_before: What the block had used before it.
        logs_before: How many logs stand before its own in the block.
    """
    place: dict[str, Json] = {
        "transactionHash": hex_data(tx.hash),
        "transactionIndex": hex(index),
        "blockHash": hex_data(block.hash),
        "blockNumber": hex(block.number),
    }
    logs: list[Json] = [_log_json(log, place, logs_before + i) for i, log in enumerate(receipt.logs)]
    created = _created_address(tx) if not tx.to else None
    return {
        **place,
        "type": hex(type_of(tx)),
        "from": hex_data(tx.sender),
        "to": hex_data(tx.to) if tx.to else None,
        "contractAddress": created,
        "cumulativeGasUsed": hex(receipt.gas_used),
        "gasUsed": hex(receipt.gas_used - gas_before),
        "effectiveGasPrice": hex(effective_price_wei(tx, block)),
        "status": "0x1" if receipt.state_root == b"\x01" else "0x0",
        "logs": logs,
        "logsBloom": hex_data(receipt.bloom.to_bytes(256, "big")),
    }


def type_of(tx: SignedTransactionAPI) -> int:
    """Return the EIP-2718 type, 0 for a transaction from before types."""
    return getattr(tx, "type_id", None) or 0


def effective_price_wei(tx: SignedTransactionAPI, block: BlockAPI) -> int:
    """Return what the transaction paid per unit of gas in this block (EIP-1559)."""
    return min(tx.max_fee_per_gas, base_fee_wei(block) + tx.max_priority_fee_per_gas)


def base_fee_wei(block: BlockAPI) -> int:
    """Return the block's base fee; every block here has one."""
    header: Any = block.header
    fee_wei: int = header.base_fee_per_gas
    return fee_wei


def revert_error(output: bytes) -> RpcError:
    """Return the error for a call that reverted, with `Error(string)` in words (Solidity ABI)."""
    message = "execution reverted"
    if output[:4] == _ERROR_STRING and len(output) >= 4 + 2 * _WORD:
        length = int.from_bytes(output[4 + _WORD : 4 + 2 * _WORD], "big")
        text = output[4 + 2 * _WORD :][:length]
        message += ": " + text.decode("utf-8", errors="replace")
    return RpcError(message, REVERTED, hex_data(output))


def _access_list(tx: SignedTransactionAPI) -> Json:
    return [
        {"address": hex_data(entry[0]), "storageKeys": [hex_data(key.to_bytes(_WORD, "big")) for key in entry[1]]}
        for entry in tx.access_list
    ]


def _log_json(log: LogAPI, place: Mapping[str, Json], log_index: int) -> Json:
    return {
        **place,
        "address": hex_data(log.address),
        "topics": [hex_data(topic.to_bytes(_WORD, "big")) for topic in log.topics],
        "data": hex_data(log.data),
        "logIndex": hex(log_index),
        "removed": False,
    }


def _created_address(tx: SignedTransactionAPI) -> str:
    from eth._utils.address import generate_contract_address  # noqa: PLC0415  only a creation needs it

    return hex_data(generate_contract_address(tx.sender, tx.nonce))
