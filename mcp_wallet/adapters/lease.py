"""At most one process of a home settles what others left: a lock that the kernel frees when its holder dies."""

import fcntl
import os
from pathlib import Path

from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.reasons import ReasonCode


class FileLease:
    """An advisory lock on a file of the home (`payments.wallet.Lease`).

    Args:
        path: The file; made when it is missing, never read or written.
    """

    def __init__(self, path: Path) -> None:
        """Hold nothing yet."""
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Return whether this process holds the lease now; never waits.

        Raises:
            OutsideError: `LEDGER_UNAVAILABLE` when the file cannot be opened.
        """
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as problem:
            raise OutsideError(ReasonCode.LEDGER_UNAVAILABLE, "The home cannot be written to.") from problem
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give it back; does nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
