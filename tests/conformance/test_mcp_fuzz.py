"""Does the real server live through ten thousand broken messages, saying nothing but protocol, and nothing of itself?

FUZZ_SEED=7 FUZZ_MESSAGES=200000 pytest tests/conformance/test_mcp_fuzz.py asks for others and for more in each era.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet.wiring.playground import Playground, make_playground
from tests.conformance.fuzz import Fuzz
from tests.conformance.raw_server import MODERN_META, ROOT, RawServer, running_raw
from tests.node.nodes import RunningNode, running_devnet

pytest.importorskip("eth", reason="needs the `devnet` extra")

SEED = int(os.environ.get("FUZZ_SEED", "20260728"))
MESSAGES = int(os.environ.get("FUZZ_MESSAGES", "5000"))
VALID_EVERY = 500
ANSWER_BYTES_MAX = 20_000


@pytest.fixture(scope="module")
def node() -> Iterator[RunningNode]:
    with running_devnet() as node:
        yield node


@pytest.fixture
def playground(node: RunningNode, tmp_path: Path) -> Playground:
    return asyncio.run(make_playground(tmp_path / "playground", node=node.url))


def secrets_of(playground: Playground) -> list[bytes]:
    """What no answer may hold: keys, and anything that names a place or shows how the server is made."""
    keys = [playground.agent_key, playground.operator_token, playground.agent_key.rpartition("_")[2], playground.node]
    places = [str(playground.where.home.parent), str(ROOT), str(Path.home()), "site-packages", ".py"]
    insides = ["Traceback", "pydantic", "ValidationError", "sqlite", "Exception", "object at 0x"]
    return [word.encode() for word in (*keys, *places, *insides)]


def valid_call(number: int, *, modern: bool) -> dict[str, Any]:
    """A call that is due, among all that: its answer must be right. It asks no node, which may be slow."""
    arguments = {"to": "bob", "amount": "1.00", "reference": f"due {number}"}
    params: dict[str, Any] = {"name": "simulate_payment", "arguments": arguments}
    params |= {"_meta": MODERN_META} if modern else {}
    return {"jsonrpc": "2.0", "id": f"due {number}", "method": "tools/call", "params": params}


def play(server: RawServer, *, modern: bool) -> list[str]:
    """Send all messages, with a valid call every so often; return the ids of the valid ones."""
    due = []
    for number, line in enumerate(Fuzz(SEED, modern=modern).lines(MESSAGES)):
        server.write(line)
        if number % VALID_EVERY == VALID_EVERY - 1:
            call = valid_call(number, modern=modern)
            server.write(json.dumps(call).encode())
            server.answer_to(call["id"])
            due.append(call["id"])
    return due


def check_line(line: bytes, secrets: list[bytes]) -> None:
    """One line of stdout is one message of the protocol, short, and says nothing of the server's insides."""
    message = json.loads(line)
    assert message["jsonrpc"] == "2.0"
    assert ("method" in message) != (("result" in message) != ("error" in message)), line[:300]
    assert len(line) < ANSWER_BYTES_MAX, line[:300]
    for secret in secrets:
        assert secret not in line, (secret, line[:1000])


@pytest.mark.parametrize("modern", [False, True], ids=["2025-11-25", "2026-07-28"])
def test_broken_messages_are_survived_and_valid_ones_among_them_answered(
    playground: Playground, node: RunningNode, modern: bool
):
    print(f"FUZZ_SEED={SEED} FUZZ_MESSAGES={MESSAGES}")  # noqa: T201  shown when it fails
    environ = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    with running_raw(["-m", "mcp_wallet", "serve"], environ | playground.environ) as server:
        if not modern:
            server.handshake()
        due = play(server, modern=modern)
        assert server.process.poll() is None
        assert server.leave() == 0
    secrets = secrets_of(playground)
    for line in server.lines:
        check_line(line, secrets)
    answers = [json.loads(line) for line in server.lines]
    said = {answer["id"]: answer["result"] for answer in answers if answer.get("id") in due}
    assert [text for text in map(str, said.values()) if "'decision': 'ALLOW'" not in text] == []
    assert list(said) == due
    for secret in (playground.agent_key, playground.operator_token, "Traceback"):
        assert secret.encode() not in server.stderr


@pytest.mark.parametrize(
    "line",
    [
        b"a stray print",
        b"",
        b'{"jsonrpc": "1.0", "id": 1, "result": {}}',
        b'{"jsonrpc": "2.0", "id": 1}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {"text": "Traceback (most recent call last)"}}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {"text": "the key is mw_dev_1"}}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {"text": "' + b"x" * ANSWER_BYTES_MAX + b'"}}',
    ],
)
def test_a_line_that_is_not_protocol_or_says_too_much_is_found(line: bytes):
    with pytest.raises((AssertionError, ValueError)):
        check_line(line, [b"mw_dev_1", b"Traceback"])


def test_the_same_seed_gives_the_same_messages_and_another_seed_others():
    one, same, other = (list(Fuzz(seed, modern=True).lines(500)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
