"""`first_answer` and `mcp_overhead`: the whole server over stdio against a bare MCP server."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from mcp_wallet.wiring.playground import make_playground
from tests.bench.durable import Floor
from tests.bench.figures import Row, medians
from tests.bench.stdio import StdioClient

SERVE = ("-m", "mcp_wallet", "serve")
STUB = ("-m", "tests.bench.stub_server")
ECHO = ("-m", "tests.bench.echo_server")
STARTS = 9
PAYMENTS = 150
COMMITS_PER_PAYMENT = 4
"""Decide, claim, store signed, settle (ADR 1); on a chain that mines at once nothing is left to mark between."""


def first_answer() -> Row:
    """Return spawn to first `check_budget` answer against spawn to first echo."""
    with tempfile.TemporaryDirectory() as folder:
        environ = _playground(Path(folder))
        pairs = [
            (_start(ECHO, environ, "echo", text="hi"), _start(SERVE, environ, "check_budget")) for _ in range(STARTS)
        ]
    figure, floor, ratio = medians(pairs[1:])
    return Row(id="first_answer", figure=figure, unit="ms", floor=floor, ratio=ratio, bar=1.3)


def mcp_overhead() -> Row:
    """Return `send_payment` on an instant chain, less its commits, against an echo tool."""
    with tempfile.TemporaryDirectory() as folder:
        environ = _playground(Path(folder))
        with StdioClient(STUB, environ) as wallet, StdioClient(ECHO, environ) as echo:
            for number in range(20):
                _pay(wallet, f"warm {number}")
                _echo(echo)
            commits = Floor(Path(folder) / "floor.db", bytes(32))
            pairs = []
            for turn in range(5):
                commit_ms = 1000 / commits.rate()
                floor = statistics.median(_echo(echo) for _ in range(PAYMENTS))
                paying = statistics.median(_pay(wallet, f"{turn} {number}") for number in range(PAYMENTS))
                pairs.append((floor, max(0.0, paying - COMMITS_PER_PAYMENT * commit_ms)))
    figure, base, ratio = medians(pairs)
    return Row(id="mcp_overhead", figure=figure, unit="ms", floor=base, ratio=ratio, bar=3.0)


def _playground(folder: Path) -> Mapping[str, str]:
    playground = asyncio.run(make_playground(folder, node="http://127.0.0.1:1", funded=False))
    return {**os.environ, **playground.environ}


def _start(module: tuple[str, ...], environ: Mapping[str, str], tool: str, **arguments: object) -> float:
    with StdioClient(module, environ) as client:
        answer = client.call(tool, **arguments)
        took_ms = (time.perf_counter_ns() - client.spawned_ns) / 1e6
    assert not answer.get("isError"), answer
    return took_ms


def _pay(client: StdioClient, reference: str) -> float:
    start = time.perf_counter_ns()
    answer = client.call("send_payment", to="alice", amount="0.01", reference=reference)
    took_ms = (time.perf_counter_ns() - start) / 1e6
    assert answer["structuredContent"]["status"] == "confirmed", answer
    return took_ms


def _echo(client: StdioClient) -> float:
    start = time.perf_counter_ns()
    client.call("echo", text="hi")
    return (time.perf_counter_ns() - start) / 1e6
