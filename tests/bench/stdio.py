"""A client of a few lines over pipes, so that its own cost is small and the same for every server."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self


class StdioClient:
    """Speaks to one server process in the 2025-11-25 handshake; entering it spawns and initializes."""

    def __init__(self, module: tuple[str, ...], environ: Mapping[str, str]) -> None:
        self._command = [sys.executable, *module]
        self._environ = dict(environ)
        self._id = 0

    def __enter__(self) -> Self:
        self.spawned_ns = time.perf_counter_ns()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environ,
        )
        info = {"name": "bench", "version": "1"}
        self.request("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info})
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Return a tool's result."""
        return self.request("tools/call", {"name": tool, "arguments": arguments})

    def request(self, method: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        """Return the result of a request; notifications in between are skipped."""
        self._id += 1
        self._write({"jsonrpc": "2.0", "id": self._id, "method": method, "params": parameters})
        assert self._process.stdout is not None
        while True:
            answer = json.loads(self._process.stdout.readline())
            if answer.get("id") == self._id:
                return dict(answer["result"])

    def _write(self, message: Mapping[str, object]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()
