"""Serving over stdin and stdout: nothing but protocol on stdout, and an orderly end.

The SDK reads stdin in a thread that nothing can wake, so that a signal would have to kill. It is given a stdin of ours
that a signal ends like a client that leaves. Ours also mends what the SDK's parser drops without an answer: half a
surrogate pair, or bytes that are not UTF-8, become a NUL, which every field refuses by name.
"""

import asyncio
import io
import logging
import os
import re
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mcp_wallet.doors.mcp.server import WalletServer

READ_BYTES: Final = 65_536

_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF_BYTES: Final = 6

_log = logging.getLogger(__name__)


def run_stdio(server: WalletServer) -> None:
    """Serve until the client leaves or SIGTERM or SIGINT comes, then close the desk; call it in the main thread.

    A payment that was reserved goes on without the caller; what closing cannot wait for, the next start recovers.
    """
    with _ending_on_signals():
        asyncio.run(_serve(server))


async def _serve(server: WalletServer) -> None:
    try:
        await server.run_stdio_async()
    except* (BrokenPipeError, ConnectionResetError):
        _log.info("the client left without reading the last answers")
    finally:
        await server.aclose()


class WakeableLines(io.BufferedIOBase):
    """Bytes of a file descriptor, whole lines at a time, that end when they end or when `wake` becomes readable.

    Args:
        source: Descriptor to read from.
        wake: Descriptor that is written to once it is time to end.
    """

    def __init__(self, source: int, wake: int) -> None:
        """Read nothing yet."""
        self._source = source
        self._wake = wake
        self._begun = bytearray()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read1(self, _: int = -1, /) -> bytes:
        """Return all whole lines that have arrived, waiting for one; at the end what is left, then nothing."""
        while True:
            chunk = self._receive()
            whole = chunk.rfind(b"\n") + 1 if chunk else 0
            if whole or not chunk:
                lines = bytes(self._begun) + chunk[:whole]
                self._begun = bytearray(chunk[whole:])
                return mended(lines)
            self._begun += chunk

    def _receive(self) -> bytes:
        ready, _, _ = select.select([self._source, self._wake], [], [])
        return b"" if self._wake in ready else os.read(self._source, READ_BYTES)


def mended(lines: bytes) -> bytes:
    """Return the lines with a NUL for each half of a surrogate pair and for what is not UTF-8 in a line."""
    if _SURROGATE.search(lines):
        lines = _ESCAPE.sub(_mended_escape, lines)
    try:
        lines.decode()
    except UnicodeDecodeError:
        return b"\n".join(_mended_line(line) for line in lines.split(b"\n"))
    return lines


def _mended_escape(match: re.Match[bytes]) -> bytes:
    escape = match.group()
    return rb"\u0000" if len(escape) == _HALF_BYTES else escape


def _mended_line(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode(errors="replace").replace("\ufffd", r"\u0000").encode()
    return line


@contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Put a wakeable stdin in place of the process's own, which child processes see empty, for SIGTERM and SIGINT."""
    source, (wake, waker) = os.dup(0), os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(WakeableLines(source, wake), encoding="utf-8")
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda *_: os.write(waker, b"\0"))
    try:
        yield
    finally:
        sys.stdin = before
        os.dup2(source, 0)
