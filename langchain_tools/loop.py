"""Where a wallet's calls run: async ones where they are, sync ones on one background loop.

A sync caller has no loop to lend: there is none, or it stands still until the caller has its answer, or a thread pool
stands between them. An open wallet belongs to one loop, so once a sync call came, all calls go to the background loop.
The other way round nobody can help: who calls a wallet async, and then sync as well, must start with the sync call.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
ANSWER_SECONDS_MAX: Final = 60
"""How long a sync caller waits. A desk answers within 10 s, the first payment after a start a little later; what was
accepted goes on, whoever has left."""


class WalletLoop:
    """The loop that one wallet's calls run on."""

    def __init__(self) -> None:
        """Bind to no loop yet."""
        self._in_background = False

    def call(self, verb: Coroutine[Any, Any, T]) -> T:
        """Return the verb's outcome to a sync caller, whether or not a loop runs on its thread.

        Raises:
            TimeoutError: No answer within 60 s; whether the verb took effect is unknown.
        """
        self._in_background = True
        return asyncio.run_coroutine_threadsafe(verb, _background_loop()).result(ANSWER_SECONDS_MAX)

    async def acall(self, verb: Coroutine[Any, Any, T]) -> T:
        """Return the verb's outcome to a caller on any loop."""
        if not self._in_background:
            return await verb
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(verb, _background_loop()))


class _Background:
    """One loop on a daemon thread, made at the first need."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="wallet tools", daemon=True)
        self.thread.start()


_lock: Final = threading.Lock()
_background: _Background | None = None


def _background_loop() -> asyncio.AbstractEventLoop:
    """Return the shared loop; after a fork, which no thread survives, a new one."""
    global _background  # noqa: PLW0603  one a process, like the thread it stands for
    with _lock:
        if _background is None or not _background.thread.is_alive():
            _background = _Background()
        return _background.loop
