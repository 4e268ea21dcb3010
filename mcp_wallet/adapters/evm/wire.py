"""JSON-RPC answers as values. A node is a stranger: each field is checked for type, form and length.

Every `parse_*` raises `ValueError` for anything but the one expected form; `node.py` turns that into an
`OutsideError`, so a hostile answer can be refused but never surprise.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.outflow import Outgoing
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.settlement_gate import Log, Receipt

LOGS_MAX = 10_000
"""More logs than a block's gas can pay for."""
TOPICS_MAX = 4
TRANSFER_TOPICS = 3

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_WORD = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What is needed of a block: its number, hash and time (Unix seconds)."""

    number: int
    hash: str
    timestamp_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeHistory:
    """The next block's base fee and what recent blocks' median transactions paid on top, in wei per gas."""

    next_base_fee_wei: int
    priority_fees_wei: tuple[int, ...]


def parse_quantity(value: object, *, bits: int = 256) -> int:
    """Return a hex quantity below 2^bits."""
    number = int(_matching(_QUANTITY, value), 16)
    if number >> bits:
        raise ValueError("quantity out of range")
    return number


def parse_number(value: object) -> int:
    """Return a number of 63 bits, as clients keep gas, nonces, block numbers and chain numbers."""
    return parse_quantity(value, bits=63)


def parse_data(value: object) -> str:
    """Return bytes as lower-case hex with `0x`."""
    return _matching(_DATA, value)


def parse_word(value: object) -> str:
    """Return 32 bytes as lower-case hex with `0x`."""
    return _matching(_WORD, value)


def parse_block(value: object) -> Block:
    """Return a mined block."""
    block = _mapping(value)
    return Block(
        number=parse_number(block.get("number")),
        hash=parse_word(block.get("hash")),
        timestamp_seconds=parse_quantity(block.get("timestamp"), bits=40),
    )


def parse_fee_history(value: object) -> FeeHistory:
    """Return the answer of `eth_feeHistory` that was asked for one percentile; absent rewards are zero."""
    history = _mapping(value)
    base_fees = _list(history.get("baseFeePerGas"), length_max=1025)
    if not base_fees:
        raise ValueError("no base fee")
    rewards = _list(history.get("reward") or [], length_max=1024)
    return FeeHistory(
        next_base_fee_wei=parse_quantity(base_fees[-1], bits=128),
        priority_fees_wei=tuple(
            parse_quantity(_list(row, length_max=1)[0], bits=128) for row in rewards if row not in ([], None)
        ),
    )


def parse_receipt(value: object, *, chain: ChainId, registry: Registry, transaction_hash: str) -> Receipt | None:
    """Return the mined receipt of this transaction, None when there is none yet.

    Only logs of the chain's registered tokens are kept: Gate 3 judges no other, and anybody can add them.
    """
    if value is None:
        return None
    fields = _mapping(value)
    if fields.get("blockNumber", "") is None:
        return None  # some nodes answer for what waits in their pool
    if parse_word(fields.get("transactionHash")) != transaction_hash:
        raise ValueError("receipt of another transaction")
    logs = (_parse_log(row) for row in _list(fields.get("logs"), length_max=LOGS_MAX))
    return Receipt(
        transaction_hash=transaction_hash,
        status=parse_quantity(fields.get("status"), bits=8),
        block_number=parse_number(fields.get("blockNumber")),
        block_hash=parse_word(fields.get("blockHash")),
        sender=_matching(_ADDRESS, fields.get("from")),
        to="" if fields.get("to") is None else _matching(_ADDRESS, fields.get("to")),
        gas_used=parse_number(fields.get("gasUsed")),
        effective_gas_price_wei=parse_quantity(fields.get("effectiveGasPrice"), bits=128),
        logs=tuple(log for log in logs if registry.token(chain, log.address) is not None),
        l1_fee_wei=0 if fields.get("l1Fee") is None else parse_quantity(fields.get("l1Fee"), bits=128),
    )


def parse_outgoing(value: object, *, account: Address, tokens: Collection[Address]) -> tuple[Outgoing, ...]:
    """Return the transfers of something out of the account in an answer of `eth_getLogs`."""
    found = []
    for row in _list(value, length_max=LOGS_MAX):
        log, transaction_hash = _parse_log(row), parse_word(_mapping(row).get("transactionHash"))
        units = int(parse_word(log.data), 16) if len(log.topics) == TRANSFER_TOPICS else 0
        if log.address not in tokens or not units or log.topics[1][-40:] != account[2:]:
            continue
        found.append(
            Outgoing(token=log.address, to="0x" + log.topics[2][-40:], units=units, transaction_hash=transaction_hash)
        )
    return tuple(found)


def _parse_log(value: object) -> Log:
    fields = _mapping(value)
    if fields.get("removed"):
        raise ValueError("log of a block that is gone")
    return Log(
        address=Address(_matching(_ADDRESS, fields.get("address"))),
        topics=tuple(parse_word(topic) for topic in _list(fields.get("topics"), length_max=TOPICS_MAX)),
        data=parse_data(fields.get("data")),
    )


def _matching(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError("not of the expected form")
    return value.lower()


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  one error for every malformed answer
    return value


def _list(value: object, *, length_max: int) -> list[object]:
    if not isinstance(value, list) or len(value) > length_max:
        raise ValueError("not a list of the expected length")
    return value
