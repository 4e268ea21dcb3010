"""Why a call would fail, in words that a person may read: decoded from the revert's data, bounded and printable."""

import re

from mcp_wallet.adapters.evm.node import RpcError

REASON_CHARACTERS_MAX = 120

_ERROR_STRING = "0x08c379a0"
_PANIC = "0x4e487b71"
_EXECUTION_REVERTED = 3
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")
_FAILS = re.compile(
    r"revert|insufficient (?:funds|balance)|out of gas|invalid opcode|stack (?:under|over)flow", re.IGNORECASE
)
_UNPRINTABLE = re.compile(r"[^ -~]+")
_SELECTOR_DIGITS = 10
_WORD_DIGITS = 64


def revert_reason(error: RpcError) -> str | None:
    """Return why the chain refuses the call; None when the refusal says nothing about the call.

    `Error(string)` and `Panic(uint256)` are decoded; another error is shown by its selector. A node that gives no
    data is quoted after `execution reverted:` only.
    """
    data = error.data.lower()
    if error.code != _EXECUTION_REVERTED and _FAILS.search(error.message) is None:
        return None
    if _HEX.fullmatch(data) is not None and len(data) >= _SELECTOR_DIGITS:
        return _printable(_decode(data)) or "no reason given"
    if "insufficient funds" in error.message.lower():
        return "insufficient funds"
    _, _, quoted = error.message.partition("reverted:")
    return _printable(quoted) or "no reason given"


def _decode(data: str) -> str:
    selector, body = data[:_SELECTOR_DIGITS], data[_SELECTOR_DIGITS:]
    if selector == _ERROR_STRING and len(body) >= 2 * _WORD_DIGITS:
        length = int(body[_WORD_DIGITS : 2 * _WORD_DIGITS], 16)
        text = bytes.fromhex(body[2 * _WORD_DIGITS :])[:length]
        return text.decode("utf-8", errors="replace")
    if selector == _PANIC and len(body) == _WORD_DIGITS:
        return f"panic {int(body, 16):#x}"
    return f"error {selector}"


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text).strip()[:REASON_CHARACTERS_MAX]
