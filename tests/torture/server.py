"""A server process as its client has it: two pipes and a process id to kill."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

LINE_BYTES_MAX = 1 << 20


class Zygote:
    """The process that forks servers; entering it starts it.

    Args:
        environ: Of every server.
        log: File descriptor for their stderr.
    """

    def __init__(self, environ: Mapping[str, str], log: int) -> None:
        self._environ, self._log = dict(environ), log

    def __enter__(self) -> Self:
        self._channel, theirs = socket.socketpair()
        command = [sys.executable, "-m", "tests.torture.zygote", str(theirs.fileno())]
        self._process = subprocess.Popen(command, env=self._environ, stderr=self._log, pass_fds=[theirs.fileno()])
        theirs.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.wait(20)

    async def fork(self) -> "Server":
        """Return a new server that serves this process."""
        their_in, our_out = os.pipe()
        our_in, their_out = os.pipe()
        socket.send_fds(self._channel, [b"."], [their_in, their_out])
        os.close(their_in)
        os.close(their_out)
        child = await asyncio.to_thread(self._channel.recv, 4)
        return await _connected(int.from_bytes(child, "big"), our_in, our_out)

    async def spawn(self) -> "Server":
        """Return a server that was started as every client starts it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mcp_wallet", "serve"),
            env=self._environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log,
            limit=LINE_BYTES_MAX,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        return await Server(process.pid, process.stdout, process.stdin).greeted()


@dataclass
class Server:
    """Speaks MCP to one process; a call to one that died answers None."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    alive: bool = True
    _id: int = 0
    _waiting: dict[int, "asyncio.Future[dict[str, Any] | None]"] = field(default_factory=dict)
    _reading: "asyncio.Task[None] | None" = None

    async def greeted(self) -> Self:
        """Shake hands."""
        self._reading = asyncio.create_task(self._read())
        info = {"name": "torture", "version": "1"}
        await self._ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info})
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    async def call(self, tool: str, **arguments: object) -> dict[str, Any] | None:
        """Return the structured answer, empty for a tool error, None when the server died first."""
        answer = await self._ask("tools/call", {"name": tool, "arguments": arguments})
        if answer is None:
            return None
        return {} if answer.get("isError") else dict(answer["structuredContent"])

    def kill(self) -> None:
        """Kill it as a crash would."""
        self.alive = False
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def gone(self) -> None:
        """Close our ends and wait until it has closed its own."""
        self.writer.close()
        if self._reading is not None:
            await self._reading

    async def _ask(self, method: str, parameters: Mapping[str, object]) -> dict[str, Any] | None:
        self._id += 1
        future: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting[self._id] = future
        self._write({"jsonrpc": "2.0", "id": self._id, "method": method, "params": parameters})
        if self._reading is not None and self._reading.done():
            return None
        return await future

    def _write(self, message: Mapping[str, object]) -> None:
        with suppress(OSError):
            self.writer.write(json.dumps(message).encode() + b"\n")

    async def _read(self) -> None:
        """Hand answers to whoever waits; at the end of the pipe, tell everybody that there is none."""
        with suppress(OSError):
            while line := await self.reader.readline():
                if not line.endswith(b"\n"):
                    break
                answer = json.loads(line)
                future = self._waiting.pop(answer.get("id", 0), None)
                if future is not None and not future.done():
                    future.set_result(answer.get("result"))
        self.alive = False
        for future in self._waiting.values():
            if not future.done():
                future.set_result(None)


async def _connected(pid: int, our_in: int, our_out: int) -> Server:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, os.fdopen(our_in, "rb", 0))
    transport, flow = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(our_out, "wb", 0))
    return await Server(pid, reader, asyncio.StreamWriter(transport, flow, None, loop)).greeted()
