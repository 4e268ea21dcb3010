"""Does the door hold on real pipes: both eras, garbage, signals, a client that leaves? One process a question."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from mcp_wallet.contract.tools import TOOLS
from mcp_wallet.doors.mcp.answers import FAULT
from tests.conformance.mcp_door import ERAS, json_of, text_of
from tests.conformance.raw_server import INITIALIZE, MODERN_META, RawServer, running_raw
from tests.conformance.stdio_server import SECRET

ROOT = Path(__file__).parent.parent.parent
COMMAND = ["-m", "tests.conformance.stdio_server"]
GARBAGE_LINES = 500


def raw_server(mood: str) -> AbstractContextManager[RawServer]:
    return running_raw([*COMMAND, mood])


def result_text(message: dict[str, Any]) -> str:
    return str(message["result"]["content"][0]["text"])


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_lists_pays_reads_and_leaves(era: str):
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    parameters = StdioServerParameters(command=sys.executable, args=[*COMMAND, "noisy"], cwd=ROOT)
    async with Client(parameters, mode=era) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [tool.name for tool in TOOLS]
        paid = await client.call_tool("send_payment", {"to": "alice", "amount": 5}, progress_callback=hear)
        assert (await client.call_tool("list_payees", {})).is_error is False
        read = await client.read_resource("wallet://payments/pay_1")
    assert paid.structured_content is not None
    assert paid.structured_content["amount"] == "5.00"
    assert text_of(paid).startswith("5.00 USDC on base to alice: paid.")
    assert len(heard) == 3
    assert json_of(read) == paid.structured_content


def garbage(seed: int) -> Iterator[bytes]:
    """Yield lines that no client should send, each of its own kind."""
    rng = random.Random(seed)
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "send_payment"}})
    values: list[object] = [None, True, -1, 2**300, 1e308, "", "\0", "x" * 5000, [], {}, [[]], {"a": {}}]
    for number in range(GARBAGE_LINES):
        ident: object = rng.choice([number, f"g{number}", None, True, 1.5, [], {}])
        method = rng.choice(["tools/call", "tools/list", "resources/read", "ping", "kill", "initialize", "a/b", 7])
        params = {rng.choice(["name", "arguments", "uri", "_meta", "cursor"]): rng.choice(values) for _ in range(3)}
        yield rng.choice(
            [
                rng.randbytes(200).replace(b"\n", b" "),
                call[: rng.randrange(len(call))].encode(),
                json.dumps(rng.choice(values)).encode(),
                json.dumps({"jsonrpc": "2.0", "id": ident, "method": method, "params": params}).encode(),
                json.dumps({"jsonrpc": rng.choice(["1.0", 2, None]), "id": ident, "method": method}).encode(),
                json.dumps({"jsonrpc": "2.0", "id": ident, "result": params}).encode(),
                json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}).encode(),
                b"[" * 5000,
                b'{"jsonrpc":"2.0","id":"a","id":"b","method":"tools/list"}',
                b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
                b"",
            ]
        )


def test_garbage_is_survived_and_answered_with_protocol_alone():
    with raw_server("faulty") as server:
        server.handshake()
        for line in garbage(seed=20260728):
            server.write(line)
        server.ask("send_payment", {"to": "alice", "amount": "1.00"})
        assert result_text(server.answer_to("send_payment")) == FAULT
        assert server.leave() == 0
    said = b"".join(server.lines)
    for secret in (SECRET.encode(), b"Traceback", b"/tests/", b"site-packages", b"pydantic"):
        assert secret not in said
    for secret in (SECRET.encode(), b"Traceback"):
        assert secret not in server.stderr
    assert b"RuntimeError at fakes.py:" in server.stderr


def test_the_inspector_finds_nothing_to_say_about_the_tools(inspector_binary: Path):
    command = [str(inspector_binary), "--cli", sys.executable, *COMMAND, "kind", "--method", "tools/list", "--strict"]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == 0, answer.stderr
    assert [tool["name"] for tool in json.loads(answer.stdout)["tools"]] == [tool.name for tool in TOOLS]


@pytest.mark.parametrize("meta", [None, MODERN_META], ids=["legacy", "2026-07-28"])
@pytest.mark.parametrize(
    ("field", "code"), [("to", "RECIPIENT_INVALID"), ("amount", "AMOUNT_INVALID"), ("memo", "INTENT_INVALID")]
)
def test_half_a_surrogate_pair_on_the_wire_is_answered(meta: dict[str, object] | None, field: str, code: str):
    with raw_server("kind") as server:
        if meta is None:
            server.handshake()
        server.ask("send_payment", {"to": "alice", "amount": "1.00", field: "1\ud800"}, meta=meta)
        assert result_text(server.answer_to("send_payment")).startswith(f"{code}: ")
        assert server.leave() == 0


def test_a_mebibyte_on_the_wire_is_answered_with_a_sentence():
    with raw_server("kind") as server:
        server.handshake()
        server.ask("send_payment", {"to": "x" * 2**20, "amount": "1.00"})
        server.answer_to("send_payment")
        assert len(server.lines[-1]) < 500
        assert server.leave() == 0


def test_a_stray_print_or_child_never_reaches_the_protocol():
    with raw_server("noisy") as server:
        server.handshake()
        server.ask("list_payees", {})
        server.answer_to("list_payees")
        assert server.leave() == 0
    assert b"stray" not in b"".join(server.lines)
    assert b"a stray print" in server.stderr
    assert b"a stray child" in server.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, None], ids=["SIGTERM", "SIGINT", "end of input"])
def test_an_end_in_the_middle_of_a_payment_closes_the_desk(how: signal.Signals | None):
    with raw_server("stuck") as server:
        server.handshake()
        server.ask("send_payment", {"to": "alice", "amount": "1.00"}, meta={"progressToken": "t"})
        server.answer_to("notifications/progress")
        if how is not None:
            server.process.send_signal(how)
            assert server.end() == 0
        assert server.leave() == 0
    assert server.stderr.count(b"the desk is closed") == 1


def test_a_client_that_stops_reading_does_not_make_the_server_cry():
    command = [sys.executable, *COMMAND, "kind"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as it:
        assert it.stdin is not None
        assert it.stdout is not None
        it.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        it.stdin.flush()
        assert it.stdout.readline()
        it.stdout.close()
        it.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n' * 2)
        it.stdin.close()
        assert it.stderr is not None
        errors = it.stderr.read()
        assert it.wait() == 0
    assert errors.count(b"the desk is closed") == 1
    assert b"Traceback" not in errors
