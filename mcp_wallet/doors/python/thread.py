"""The thread that an open wallet lives on: one event loop for ledger, nodes and settlement.

An open wallet belongs to one loop. With a loop of its own it answers callers on any loop and any thread, and payments
settle while the program computes. A program that ends without closing it does not hang: the wallet closes then.
"""

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar
from weakref import WeakSet

from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.reasons import ReasonCode

T = TypeVar("T")
CLOSING_SECONDS_MAX: Final = 10

_log = logging.getLogger(__name__)


class WalletThread:
    """An event loop on a daemon thread.

    Args:
        close: Awaited on the loop at the end, for at most 10 s.
    """

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        """Start the thread."""
        self._close = close
        self._process = os.getpid()
        self._begun = threading.Event()
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()
        self._thread = threading.Thread(target=self._live, name="mcp-wallet", daemon=True)
        self._thread.start()
        self._begun.wait()
        _close_at_exit(self)

    async def call(self, verb: Coroutine[Any, Any, T]) -> T:
        """Return the verb's outcome; a caller that is cancelled cancels the verb as far as it can be.

        Raises:
            OwnerError: `LEDGER_UNAVAILABLE` after the end, and in a process that was forked from the wallet's.
        """
        if self._process != os.getpid() or not self._thread.is_alive() or self._ending.is_set():
            verb.close()
            raise closed()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._answered(verb), self._loop))

    async def stop(self) -> None:
        """Close the wallet and end the thread; raises what closing raised. In a forked process there is neither."""
        if self._process != os.getpid():
            return
        self._end()
        await asyncio.shield(asyncio.wrap_future(self._ended))

    def stop_and_wait(self) -> None:
        """Do as `stop`, from another thread without a loop; what closing raises is logged."""
        if self._process != os.getpid():
            return
        self._end()
        if (problem := self._ended.exception()) is not None:
            _log.warning("the wallet was not closed in order, the next start recovers", exc_info=problem)

    def _end(self) -> None:
        if self._thread.is_alive() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)

    async def _answered(self, verb: Coroutine[Any, Any, T]) -> T:
        """Return the verb's outcome; the end of the wallet must not look like the caller's own cancellation."""
        try:
            return await verb
        except asyncio.CancelledError:
            if self._ending.is_set():
                raise closed() from None
            raise

    def _live(self) -> None:
        try:
            _run(self._serve())
        except BaseException as problem:  # noqa: BLE001  whoever waits for the end must hear of it
            self._ended.set_exception(problem)
        else:
            self._ended.set_result(None)

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        await asyncio.to_thread(self._begun.set)  # the pool has a thread from now on, and needs no new one at the end
        await self._ending.wait()
        try:
            async with asyncio.timeout(CLOSING_SECONDS_MAX):
                await self._close()
        except TimeoutError:
            _log.warning("closing took longer than %s s and was left; the next start recovers", CLOSING_SECONDS_MAX)


def _run(serve: Coroutine[Any, Any, None]) -> None:
    """Run to the end as `asyncio.run` does, without a new thread: Python 3.12 starts none while it shuts down."""
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(thread_name_prefix="mcp-wallet") as pool:
        loop.set_default_executor(pool)
        try:
            loop.run_until_complete(serve)
        finally:
            loop.run_until_complete(_cancel_what_is_left())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


async def _cancel_what_is_left() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def closed() -> OwnerError:
    """Return the error of a wallet that cannot be asked any more."""
    sentence = "This wallet is closed, or belongs to the process that this one was forked from: make a new one."
    return OwnerError(ReasonCode.LEDGER_UNAVAILABLE, sentence)


_open: Final[WeakSet[WalletThread]] = WeakSet()
_lock: Final = threading.Lock()
_is_registered = False


def _close_at_exit(wallet: WalletThread) -> None:
    """Have the wallet closed when the program ends.

    `atexit` comes too late, when no work can be handed to other threads any more. `concurrent.futures` uses the hook
    that is used here, and registered its own end when `ThreadPoolExecutor` was imported: the later one is called first.
    Without the hook the end is as after a crash: the next start recovers.
    """
    global _is_registered  # noqa: PLW0603  one a process
    with _lock:
        _open.add(wallet)
        if not _is_registered:
            getattr(threading, "_register_atexit", atexit.register)(_close_all)
            _is_registered = True


def _close_all() -> None:
    for wallet in list(_open):
        wallet.stop_and_wait()
