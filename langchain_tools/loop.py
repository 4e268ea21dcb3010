"""Where a wallet's calls run: async ones where they are, sync ones on one background loop.

A sync caller has no loop to lend: there is none, or it stands still until the caller has its answer, or a thread pool
stands between them. A `PolicyWallet` lives on a loop of its own, and takes calls from any, in any order. A bare desk
belongs to the loop of its first call: after a sync one, all calls go to the background loop; after an async one, sync
calls are refused while that loop runs, because nobody could answer them.
"""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from mcp_wallet import OwnerError, ReasonCode

T = TypeVar("T")
ANSWER_SECONDS_MAX: Final = 60
"""How long a sync caller waits. A desk answers within 10 s, the first payment after a start a little later; what was
accepted goes on, whoever has left."""


class WalletLoop:
    """The loop that one wallet's calls run on.

    Args:
        anywhere: Whether any loop may call the wallet.
    """

    def __init__(self, *, anywhere: bool = False) -> None:
        """Bind to no loop yet."""
        self._anywhere = anywhere
        self._in_background = False
        self._home: asyncio.AbstractEventLoop | None = None

    def call(self, verb: Coroutine[Any, Any, T]) -> T:
        """Return the verb's outcome to a sync caller, whether or not a loop runs on its thread.

        Raises:
            OwnerError: `LEDGER_UNAVAILABLE` when the wallet belongs to a caller's loop that runs.
            TimeoutError: No answer within 60 s; whether the verb took effect is unknown.
        """
        if self._home is not None and self._home.is_running():
            verb.close()
            sentence = "This wallet belongs to a running event loop: call its tools async, or use a PolicyWallet."
            raise OwnerError(ReasonCode.LEDGER_UNAVAILABLE, sentence)
        self._in_background = not self._anywhere
        return asyncio.run_coroutine_threadsafe(verb, _background_loop()).result(ANSWER_SECONDS_MAX)

    async def acall(self, verb: Coroutine[Any, Any, T]) -> T:
        """Return the verb's outcome to a caller on any loop."""
        if not self._in_background:
            if not self._anywhere:
                self._home = asyncio.get_running_loop()
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
