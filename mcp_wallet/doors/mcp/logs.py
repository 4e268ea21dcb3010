"""The server's log: one line an event, on stderr, because stdout belongs to the protocol.

A trace names files and lines but neither source text nor what an exception says: a message of a library may hold a
node's address with its key, and a host keeps what stands on stderr.
"""

import logging
import sys
from typing import Final

from mcp_wallet.doors.trace import trace_of
from mcp_wallet.doors.visible import visible

LINE_CHARACTERS_MAX: Final = 2000


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
