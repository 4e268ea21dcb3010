"""The anchor that is always on: an append-only file of checkpoints, outside the home.

Each record is a header line, the note, and a newline:

    = checkpoint <bytes of the note> <sha256 of the note, hex>

A record that a crash has torn is recognised and stepped over, never repaired. Any number of processes may append. Of
one log, the file only ever grows: a checkpoint that is not larger than the newest one is covered by it and is not
written.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
import re
from io import FileIO
from pathlib import Path
from typing import Final

from mcp_wallet.core.errors import InvariantBroken, OutsideError
from mcp_wallet.core.reasons import ReasonCode

NOTE_BYTES_MAX: Final = 32_768
"""A checkpoint with many co-signatures is a few KiB."""
TAIL_BYTES: Final = 65_536
"""First reach of a look for the newest record; doubled until one is found."""

_HEADER = re.compile(rb"^= checkpoint ([0-9]{1,5}) ([0-9a-f]{64})\n", re.MULTILINE)
_SIZE = re.compile(rb"[0-9]{1,19}")


class FileAnchor:
    """Checkpoints in a file (`ports.Anchor`), readable by its owner only.

    Args:
        path: The file; it and its folder are made when they are missing.
    """

    name = "file"

    def __init__(self, path: Path) -> None:
        """Touch nothing yet."""
        self._path = path

    async def publish(self, note: str) -> None:
        """Append the checkpoint; it is on the disk when this returns.

        Args:
            note: A signed checkpoint (C2SP tlog-checkpoint): origin, size and root on lines of their own.

        Raises:
            OutsideError: `DISK_FULL` or `LEDGER_UNAVAILABLE` when it cannot be written.
        """
        content = note.encode("utf-8")
        if _HEADER.search(content) or len(content) > NOTE_BYTES_MAX:
            raise InvariantBroken("this is not a checkpoint")
        await asyncio.to_thread(_publish, self._path, content)

    async def newest(self) -> str:
        """Return the newest whole checkpoint, empty text when there is none.

        Raises:
            OutsideError: `LEDGER_UNAVAILABLE` when there is a file that cannot be read.
        """
        return (await asyncio.to_thread(_load_newest, self._path)).decode("utf-8")

    async def history(self) -> list[str]:
        """Return every whole checkpoint, oldest first, of whatever log; for verification.

        Raises:
            OutsideError: `LEDGER_UNAVAILABLE` when there is a file that cannot be read.
        """
        return [note.decode("utf-8", "replace") for note in await asyncio.to_thread(_load_all, self._path)]


def _publish(path: Path, note: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # given back when the file is closed
            is_new = file.seek(0, os.SEEK_END) == 0
            _append(file, note)
            if is_new:
                _sync_folder(path.parent)
    except OSError as problem:
        is_full = problem.errno in {errno.ENOSPC, errno.EDQUOT}
        raise OutsideError(
            ReasonCode.DISK_FULL if is_full else ReasonCode.LEDGER_UNAVAILABLE,
            "The anchor file cannot be written: its disk is full." if is_full else "The anchor file cannot be written.",
        ) from problem


def _append(file: FileIO, note: bytes) -> None:
    """Append a record in one write and make it durable; under the lock."""
    origin, size = _position(note)
    newest_origin, newest_size = _position(_newest_in(file))
    if origin == newest_origin and size <= newest_size:
        return
    header = b"= checkpoint %d %s\n" % (len(note), hashlib.sha256(note).hexdigest().encode("ascii"))
    record = header + note + b"\n"
    if not _ends_a_line(file):
        record = b"\n" + record
    if file.write(record) != len(record):
        raise OSError(errno.ENOSPC, "the record was cut off")
    os.fsync(file.fileno())


def _load_newest(path: Path) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            return _newest_in(file)
    except FileNotFoundError:
        return b""
    except OSError as problem:
        raise _unreadable() from problem


def _load_all(path: Path) -> list[bytes]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise _unreadable() from problem
    return [note for header in _HEADER.finditer(content) if (note := _note_after(header, content))]


def _unreadable() -> OutsideError:
    return OutsideError(ReasonCode.LEDGER_UNAVAILABLE, "The anchor file cannot be read.")


def _newest_in(file: FileIO) -> bytes:
    """Return the last whole note, reaching back from the end as far as is needed."""
    end = file.seek(0, os.SEEK_END)
    reach = min(TAIL_BYTES, end)
    while True:
        file.seek(end - reach)
        found = _last_record(file.read(reach))
        if found or reach == end:
            return found
        reach = min(reach * 2, end)


def _last_record(tail: bytes) -> bytes:
    notes = (_note_after(header, tail) for header in reversed(list(_HEADER.finditer(tail))))
    return next((note for note in notes if note), b"")


def _note_after(header: re.Match[bytes], content: bytes) -> bytes:
    """Return the note of a record, empty when a crash has torn it."""
    note = content[header.end() : header.end() + int(header.group(1))]
    return note if hashlib.sha256(note).hexdigest().encode("ascii") == header.group(2) else b""


def _position(note: bytes) -> tuple[bytes, int]:
    """Return a checkpoint's log and size; of no note, those of no log."""
    origin, _, rest = note.partition(b"\n")
    size = rest.partition(b"\n")[0]
    return origin, int(size) if _SIZE.fullmatch(size) else -1


def _ends_a_line(file: FileIO) -> bool:
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return True
    file.seek(end - 1)
    return file.read(1) == b"\n"


def _sync_folder(folder: Path) -> None:
    """Make the file's name durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
