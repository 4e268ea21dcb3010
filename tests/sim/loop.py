"""An event loop in which time passes only when everybody waits: an hour takes no longer than what happens in it.

There are no threads, no sockets and no real time in it, so one seed gives one history.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class _Leaping(selectors.SelectSelector):
    """Waits for nothing: tells how long it was asked to wait instead."""

    def __init__(self, leap: Callable[[float], None]) -> None:
        super().__init__()
        self._leap = leap

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for something that nobody will do")
        self._leap(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is the simulated world's, in seconds from its beginning."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Leaping(self._leap))

    def time(self) -> float:
        return self._now

    def run_in_executor(self, *_: object) -> NoReturn:
        raise RuntimeError("the simulated world has no threads")

    def _leap(self, seconds: float) -> None:
        if seconds > 0:
            self._now += seconds


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, list[BaseException]]:
    """Run a coroutine to its end in a loop of its own; return its result and the exceptions that nobody heard of."""
    loop, unheard = VirtualLoop(), list[BaseException]()

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        unheard.append(context.get("exception") or RuntimeError(context["message"]))

    loop.set_exception_handler(note)
    try:
        result = loop.run_until_complete(main())
    finally:
        _end(loop)
        loop.close()
    return result, unheard


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still waits, and let it go."""
    tasks = asyncio.all_tasks(loop)

    async def gone() -> None:
        await asyncio.gather(*tasks, return_exceptions=True)

    for task in tasks:
        task.cancel()
    loop.run_until_complete(gone())
