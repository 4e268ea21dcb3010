"""Messages that no client should send, from a seed: the same seed gives the same messages on every machine.

Every kind starts from what a real client says and breaks one thing: bytes, JSON, the envelope, the method, the shape or
the values of arguments.
"""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from mcp_wallet.contract.tools import TOOLS
from tests.conformance.raw_server import MODERN_META

HUGE: Final = 300_000
HUGE_EVERY: Final = 400
DEEP: Final = 2_000
METHODS: Final = (
    *("tools/call", "tools/list", "resources/read", "resources/list", "resources/templates/list", "ping"),
    *("prompts/list", "prompts/get", "completion/complete", "logging/setLevel", "server/discover", "sampling/create"),
    *("resources/subscribe", "subscriptions/listen", "tasks/get", "kill", "unkill", "audit/export", "", "a" * 3_000),
    *("notifications/cancelled", "notifications/progress", "notifications/initialized", "notifications/nobody"),
)
HOSTILE_TEXTS: Final = (
    *("", " ", "\0", "\x1b[2J\x1b[31m", "\r\n", "a\nb", "\u202e0.1", "\u200b", "\u2028", "\ufeff", "\U000e0041"),
    *("\uff11.\uff10\uff10", "\u0663", "0.\uff11", "1e3", "-1", "+1", "1,000", "0x10", "NaN", "Infinity"),
    *("1_000", "1.0000000000000000001"),
    *("\ud800", "\udfff", "e\u0301" * 50, "🏴\U000e0067", "Z\u0351" * 300, "ﬀ", "\u2066alice\u2069", "\u0430lice"),
    *("alice' OR '1'='1", "{{7*7}}", "${HOME}", "$(id)", "../../etc/passwd", "%s%n", "<script>", "=cmd|' /C calc'!A0"),
    *("wallet://budget", "wallet://payments/", "file:///etc/passwd", "0x" + "0" * 40, "0x" + "f" * 40),
    "pay_" + "x" * 26,
)  # fmt: skip
VALUES: Final[tuple[object, ...]] = (
    *(None, True, False, 0, -1, 1, 1.5, 2**63, 2**300, -(2**70), 1e308, 5e-324, [], {}, [[]], [None], {"": {}}),
    *({"$ref": "#"}, {"__proto__": {"x": 1}}, {"toJSON": 1}, ["a"] * 50, {str(n): n for n in range(50)}),
)


class Fuzz:
    """A stream of broken messages.

    Args:
        seed: Where it begins.
        modern: Speak as a client of 2026-07-28, whose every request says so.
    """

    def __init__(self, seed: int, *, modern: bool) -> None:
        self._rng = random.Random(seed)
        self._modern = modern
        self._kinds: tuple[Callable[[], bytes], ...] = (
            self._noise,
            self._broken_json,
            self._flipped,
            self._other_json,
            self._envelope,
            self._method,
            self._arguments,
            self._arguments,
            self._arguments,
            self._shape,
            self._deep,
            self._unasked,
            self._raw_text,
            self._keys_twice,
        )

    def lines(self, count: int) -> Iterator[bytes]:
        """Yield messages, each a line without its end."""
        for number in range(count):
            line = self._huge() if number % HUGE_EVERY == HUGE_EVERY - 1 else self._rng.choice(self._kinds)()
            yield line.replace(b"\n", b" ").replace(b"\r", b" ")

    def _noise(self) -> bytes:
        return self._rng.randbytes(self._rng.randrange(1, 400))

    def _broken_json(self) -> bytes:
        text = _bytes(self._call())
        return text[: self._rng.randrange(len(text))] + self._rng.choice([b"", b"}", b"]]", b'"', b",,", b"\\"])

    def _flipped(self) -> bytes:
        text = bytearray(_bytes(self._call()))
        for _ in range(self._rng.randrange(1, 6)):
            text[self._rng.randrange(len(text))] = self._rng.randrange(256)
        return bytes(text)

    def _other_json(self) -> bytes:
        return _bytes(self._rng.choice([self._value(), [self._call()], [], [[self._call()], 1], {}]))

    def _envelope(self) -> bytes:
        message = self._call()
        for field in self._rng.sample(["jsonrpc", "id", "method", "params", "result", "error"], 2):
            message[field] = self._value()
        if self._rng.random() < 0.3:
            del message[self._rng.choice([*message])]
        return _bytes(message)

    def _method(self) -> bytes:
        names = ["uri", "name", "cursor", "ref", "level", "requestId", "progressToken", "protocolVersion", "_meta"]
        params = {name: self._value() for name in self._rng.sample(names, 3)}
        return _bytes(self._message(self._rng.choice(METHODS), params))

    def _arguments(self) -> bytes:
        message = self._call()
        arguments = message["params"]["arguments"]
        for name in self._rng.sample([*arguments, "force", "approved", "agent", "limit"], self._rng.randrange(1, 4)):
            arguments[name] = self._value()
        return _bytes(message)

    def _shape(self) -> bytes:
        message = self._call()
        message["params"][self._rng.choice(["name", "arguments", "_meta", "task", "x"])] = self._value()
        if self._rng.random() < 0.5:
            message["params"] = self._value()
        return _bytes(message)

    def _deep(self) -> bytes:
        depth = self._rng.randrange(10, DEEP)
        opened, closed = self._rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
        nested = opened * depth + b"1" + closed * self._rng.choice([depth, depth - 1])
        return _bytes(self._call() | {"params": "HERE"}).replace(b'"HERE"', nested)

    def _unasked(self) -> bytes:
        answer: dict[str, object] = self._rng.choice(
            [{"result": self._value()}, {"error": {"code": self._value(), "message": "x"}}]
        )
        return _bytes({"jsonrpc": "2.0", "id": self._ident(), **answer})

    def _raw_text(self) -> bytes:
        bad = self._rng.choice([b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\x00", b"\x1a"])
        return _bytes(self._call()).replace(b"alice", bad + b"alice")

    def _keys_twice(self) -> bytes:
        return _bytes(self._call()).replace(b'"id":', b'"id": 1, "method": "ping", "id":', 1)

    def _huge(self) -> bytes:
        message = self._call()
        name = self._rng.choice([*message["params"]["arguments"], "reference"])
        message["params"]["arguments"][name] = self._rng.choice(["x", "\u202e", "9", '"']) * HUGE
        return _bytes(message)

    def _call(self) -> dict[str, Any]:
        tool = self._rng.choice(TOOLS)
        good: dict[str, object] = {"to": "alice", "amount": "0.01", "reference": f"r{self._rng.randrange(50)}"}
        known = {argument.name for argument in tool.arguments}
        arguments = {name: value for name, value in good.items() if name in known}
        return self._message("tools/call", {"name": tool.name, "arguments": arguments})

    def _message(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if self._modern and self._rng.random() < 0.9:
            params = {"_meta": dict(MODERN_META)} | params
        message = {"jsonrpc": "2.0", "id": self._ident(), "method": method, "params": params}
        if self._rng.random() < 0.1:
            del message["id"]
        return message

    def _ident(self) -> object:
        odd: list[object] = [None, True, 1.5, [], {}, "", "\ud800", -1, 2**70]
        return self._rng.randrange(10**9) if self._rng.random() < 0.8 else self._rng.choice(odd)

    def _value(self) -> object:
        return self._rng.choice(HOSTILE_TEXTS) if self._rng.random() < 0.5 else self._rng.choice(VALUES)


def _bytes(message: object) -> bytes:
    return json.dumps(message).encode()
