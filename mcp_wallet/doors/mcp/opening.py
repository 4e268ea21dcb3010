"""The desk behind the door: opened once, in the background, and opened again when that failed.

A client that lists tools waits for nothing, and one that gives up waiting cancels no opening half-way.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from mcp_wallet.contract.desk import Desk
from mcp_wallet.doors.mcp.answers import sentence_of

CLOSING_SECONDS_MAX: Final = 10

_log = logging.getLogger(__name__)


class Opening:
    """Opens the desk at most once at a time; belongs to one event loop.

    Args:
        open_desk: Reads the home and returns the agent's desk; raises `WalletError`.
        close: Finishes what was accepted and releases the home.
    """

    def __init__(self, open_desk: Callable[[], Awaitable[Desk]], close: Callable[[], Awaitable[None]] | None) -> None:
        """Open nothing yet."""
        self._open_desk = open_desk
        self._close = close
        self._task: asyncio.Task[Desk] | None = None

    def begin(self) -> asyncio.Task[Desk]:
        """Return the opening that runs or has succeeded, else start one."""
        if self._task is None or _has_failed(self._task):
            self._task = asyncio.get_running_loop().create_task(self._open(), name="open the desk")
            self._task.add_done_callback(_report)
        return self._task

    async def desk(self) -> Desk:
        """Return the open desk, waiting for it.

        Raises:
            WalletError: Why it cannot be opened now; the next call tries again.
        """
        return await asyncio.shield(self.begin())

    async def aclose(self) -> None:
        """Stop an unfinished opening and close the desk, within 10 s."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._close is None:
            return
        try:
            async with asyncio.timeout(CLOSING_SECONDS_MAX):
                await self._close()
        except TimeoutError:
            _log.warning("closing took longer than %s s and was left; the next start recovers", CLOSING_SECONDS_MAX)

    async def _open(self) -> Desk:
        return await self._open_desk()


def _has_failed(task: asyncio.Task[Desk]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _report(task: asyncio.Task[Desk]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("the wallet is not open: %s", sentence_of(error) if isinstance(error, Exception) else "stopped")
