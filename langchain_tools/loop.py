"""Where a wallet's calls run: on the event loop where its tools were made, or else on one background loop.

An open wallet belongs to one loop, and a sync caller has none. So tools that are made while a loop runs keep to that
loop, from whatever thread they are called; all others share one loop on a background thread. The one call that cannot
keep to its loop, a sync one on the very thread that the loop needs, goes to the background loop as well.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
ANSWER_SECONDS_MAX: Final = 60
"""How long a sync caller waits. A desk answers within 10 s, the first payment after a start a little later; what was
accepted goes on, whoever has left."""


class HomeLoop:
    """The loop that one wallet's calls run on."""

    def __init__(self) -> None:
        """Take the running loop, if there is one."""
        self._made_on = _running()

    def call(self, verb: Coroutine[Any, Any, T]) -> T:
        """Return the verb's outcome to a sync caller, whether or not a loop runs on its thread.

        Raises:
            TimeoutError: No answer within 60 s; whether the verb took effect is unknown.
        """
        home = self._loop()
        loop = _background_loop() if home is _running() else home
        return asyncio.run_coroutine_threadsafe(verb, loop).result(ANSWER_SECONDS_MAX)

    async def acall(self, verb: Coroutine[Any, Any, T]) -> T:
        """Return the verb's outcome to a caller on any loop."""
        home = self._loop()
        if home is _running():
            return await verb
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(verb, home))

    def _loop(self) -> asyncio.AbstractEventLoop:
        """Return the home loop; one that has ended is no home any more."""
        made_on = self._made_on
        return made_on if made_on is not None and made_on.is_running() else _background_loop()


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


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
