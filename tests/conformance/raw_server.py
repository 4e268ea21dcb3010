"""A server on real pipes to which a test writes bytes, and messages as a client of each era writes them."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": "hello",
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "a test", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "a test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class RawServer:
    """A server process to which a test writes bytes; what it says is read all the while, so that no pipe fills up."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=env,
        )
        self.lines: list[bytes] = []
        self.stderr = b""
        self._said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._readers = [threading.Thread(target=read) for read in (self._read_answers, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read_answers(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(line)
        self._said.put(b"")

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.stderr = self.process.stderr.read()

    def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def ask(self, name: str, arguments: dict[str, object], *, meta: dict[str, object] | None = None) -> None:
        params = {"name": name, "arguments": arguments} | ({"_meta": meta} if meta else {})
        self.write(json.dumps({"jsonrpc": "2.0", "id": name, "method": "tools/call", "params": params}).encode())

    def handshake(self) -> None:
        self.write(json.dumps(INITIALIZE).encode())
        self.answer_to("hello")
        self.write(json.dumps(INITIALIZED).encode())

    def answer_to(self, expected: str) -> dict[str, Any]:
        """Read on until the answer to this id, or the notification of this method; each line must be protocol."""
        while line := self._said.get():
            self.lines.append(line)
            message = json.loads(line)
            assert message["jsonrpc"] == "2.0"
            if expected in (message.get("id"), message.get("method")):
                return dict(message)
        raise AssertionError(f"the server left without answering {expected}")

    def leave(self) -> int:
        """Close stdin, and return the exit code with everything read."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.end()

    def end(self) -> int:
        code = self.process.wait()
        for reader in self._readers:
            reader.join()
        while not self._said.empty():
            self.lines += filter(None, [self._said.get()])
        return code


@contextmanager
def running_raw(command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[RawServer]:
    """Give a running server; it is killed at the end if it still runs."""
    server = RawServer(command, env)
    try:
        yield server
    finally:
        server.process.kill()
        server.end()
        for pipe in (server.process.stdin, server.process.stdout, server.process.stderr):
            assert pipe is not None
            pipe.close()
