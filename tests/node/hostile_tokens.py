"""Tokens that do not do what they are asked: a page of EVM code each, put together here, so that no compiler is needed.

Every one answers `balanceOf` with plenty. `transfer(address,uint256)` does as its name says.
"""

from mcp_wallet.core.settlement_gate import TRANSFER_TOPIC

PLENTY = 10**15
_OPCODES = {
    "STOP": "00",
    "SUB": "03",
    "EQ": "14",
    "SHR": "1c",
    "ORIGIN": "32",
    "CALLER": "33",
    "CALLDATALOAD": "35",
    "CODECOPY": "39",
    "GAS": "5a",
    "ADDRESS": "30",
    "CALLDATASIZE": "36",
    "CALLDATACOPY": "37",
    "MSTORE": "52",
    "SLOAD": "54",
    "SSTORE": "55",
    "JUMPI": "57",
    "JUMPDEST": "5b",
    "DUP1": "80",
    "LOG3": "a3",
    "CALL": "f1",
    "RETURN": "f3",
    "REVERT": "fd",
}


def assemble(text: str) -> bytes:
    """Return the bytes of opcodes and of numbers, which are pushed; `@n` pushes the place of the nth JUMPDEST."""
    words = text.split()
    sizes = [_size(word) for word in words]
    places = [sum(sizes[:n]) for n, word in enumerate(words) if word == "JUMPDEST"]
    return b"".join(_encode(word, places) for word in words)


def _size(word: str) -> int:
    return 1 if word in _OPCODES else 2 if word.startswith("@") else 1 + len(_number(word))


def _encode(word: str, places: list[int]) -> bytes:
    if word in _OPCODES:
        return bytes.fromhex(_OPCODES[word])
    number = bytes([places[int(word[1:])]]) if word.startswith("@") else _number(word)
    return bytes([0x5F + len(number)]) + number


def _number(word: str) -> bytes:
    value = int(word, 0)
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def _answer(value: int) -> str:
    return f"{value} 0 MSTORE 32 0 RETURN"


def _log(units: str, to: str, *, who: str = "CALLER") -> str:
    """Log a transfer of the caller's; `units` and `to` are code that pushes one word."""
    return f"{units} 0 MSTORE {to} {who} {TRANSFER_TOPIC} 32 0 LOG3"


TO, UNITS = "4 CALLDATALOAD", "36 CALLDATALOAD"
THIEF = str(int("66" * 20, 16))
ONE_LESS = f"1 {UNITS} SUB"

BODIES = {
    "honest": _log(UNITS, TO) + " " + _answer(1),
    "returns nothing": _log(UNITS, TO) + " STOP",
    "returns false": _log(UNITS, TO) + " " + _answer(0),
    "logs nothing": _answer(1),
    "takes a fee": _log(ONE_LESS, TO) + " " + _log("1", THIEF) + " " + _answer(1),
    "pays somebody else": _log(UNITS, THIEF) + " " + _answer(1),
    "pays twice": _log(UNITS, TO) + " " + _log(UNITS, TO) + " " + _answer(1),
    "is paused": "0 0 REVERT",
    # It calls itself once more before it answers, and each call logs a transfer of whoever sent the transaction.
    "re-enters": (
        f"0 SLOAD @1 JUMPI 1 0 SSTORE CALLDATASIZE 0 0 CALLDATACOPY 0 0 CALLDATASIZE 0 0 ADDRESS GAS CALL "
        f"JUMPDEST {_log(UNITS, TO, who='ORIGIN')} {_answer(1)}"
    ),
}


def runtime_of(body: str) -> bytes:
    """Return a token's code: `transfer` runs the body, everything else is a balance of plenty."""
    head = f"0 CALLDATALOAD 224 SHR 0xa9059cbb EQ @0 JUMPI {_answer(PLENTY)} JUMPDEST"
    return assemble(f"{head} {body}")


def creation_of(body: str) -> bytes:
    """Return what deploys it."""
    runtime = runtime_of(body)
    prefix = assemble(f"{len(runtime)} DUP1 99 0 CODECOPY 0 RETURN")
    return assemble(f"{len(runtime)} DUP1 {len(prefix)} 0 CODECOPY 0 RETURN") + runtime
