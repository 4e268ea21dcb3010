"""The server's log: one line an event, on stderr, because stdout belongs to the protocol.

A trace names files and lines but neither source text nor what an exception says: a message of a library may hold a
node's address with its key, and a host keeps what stands on stderr.
"""

import logging
import sys
from pathlib import PurePath
from types import TracebackType
from typing import Final

from mcp_wallet.doors.mcp.answers import visible

LINE_CHARACTERS_MAX: Final = 2000
CAUSES_MAX: Final = 4


class OneLine(logging.Formatter):
    """Formats a record as one line, with a trace of places only."""

    def __init__(self) -> None:
        """Take the default layout; `format` writes the line itself."""
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; hidden characters are shown, so that no caller can forge a second one."""
        line = f"{self.formatTime(record)} {record.levelname} {record.name}: {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            line += " | " + trace_of(record.exc_info[1])
        return visible(line, LINE_CHARACTERS_MAX)


def log_to_stderr() -> None:
    """Send every log to stderr, the wallet's from INFO on, others' from WARNING on.

    Called before an `MCPServer` is made: the SDK would install its own handler, whose traces show source. A root logger
    that has handlers is left alone.
    """
    if not logging.root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(OneLine())
        logging.root.addHandler(handler)
        logging.root.setLevel(logging.WARNING)
        logging.getLogger("mcp_wallet").setLevel(logging.INFO)


def trace_of(error: BaseException) -> str:
    """Return kinds and places of an error and its causes: `KeyError at desk.py:12 in pay < server.py:40 in call`."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(parts) < CAUSES_MAX:
        parts.append(f"{type(cause).__name__} at {_places_of(cause.__traceback__)}")
        cause = cause.__cause__ or cause.__context__
    return " from ".join(parts)


def _places_of(trace: TracebackType | None) -> str:
    places: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{PurePath(code.co_filename).name}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(places)) or "an unknown place"
