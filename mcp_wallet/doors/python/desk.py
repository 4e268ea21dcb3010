"""The desk of a wallet that lives on a thread of its own: callable from any loop, opened by the first call."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from mcp_wallet.contract.desk import Desk, Progress
from mcp_wallet.contract.results import BudgetResult, PayeeList, PaymentList, PaymentResult
from mcp_wallet.core.intent import PaymentRequest
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.python.thread import WalletThread, closed

T = TypeVar("T")


class ThreadedDesk:
    """Implements `contract.desk.Desk`.

    Args:
        open_desk: Opens the wallet and returns its desk, on the wallet's loop; called again after a failure.
        close: Closes what was opened, on the same loop.
    """

    def __init__(
        self, open_desk: Callable[[], Coroutine[Any, Any, Desk]], close: Callable[[], Awaitable[None]]
    ) -> None:
        """Start nothing yet."""
        self._open_desk, self._close = open_desk, close
        self._starting = threading.Lock()
        self._thread: WalletThread | None = None
        self._opening: asyncio.Task[Desk] | None = None
        self._is_closed = False

    async def open(self) -> None:
        """Open the wallet now; raises what stands against it."""
        await self._call(_nothing)

    async def aclose(self) -> None:
        """Close the wallet for good, and anchor the trail; what is under way goes on with the home's next start."""
        with self._starting:
            self._is_closed = True
        if self._thread is not None:
            await self._thread.stop()

    async def send_payment(self, request: PaymentRequest, *, progress: Progress | None = None) -> PaymentResult:
        """See `Desk`."""
        told = None if progress is None else _told_at_home(progress)
        return await self._call(lambda desk: desk.send_payment(request, progress=told))

    async def simulate_payment(self, request: PaymentRequest) -> PaymentResult:
        """See `Desk`."""
        return await self._call(lambda desk: desk.simulate_payment(request))

    async def check_budget(self, *, asset: str = "", chain: str = "") -> BudgetResult:
        """See `Desk`."""
        return await self._call(lambda desk: desk.check_budget(asset=asset, chain=chain))

    async def get_payment(
        self, *, payment_id: str = "", reference: str = "", idempotency_key: str = ""
    ) -> PaymentResult:
        """See `Desk`."""
        return await self._call(
            lambda desk: desk.get_payment(payment_id=payment_id, reference=reference, idempotency_key=idempotency_key)
        )

    async def list_payments(self, *, limit: int = 20, status: str = "") -> PaymentList:
        """See `Desk`."""
        return await self._call(lambda desk: desk.list_payments(limit=limit, status=status))

    async def list_payees(self) -> PayeeList:
        """See `Desk`."""
        return await self._call(lambda desk: desk.list_payees())

    async def refused(self, code: ReasonCode) -> None:
        """See `Desk`."""
        await self._call(lambda desk: desk.refused(code))

    # -- parts -----------------------------------------------------------------------------------------------

    async def _call(self, ask: Callable[[Desk], Awaitable[T]]) -> T:
        return await self._running().call(self._asked(ask))

    def _running(self) -> WalletThread:
        with self._starting:
            if self._is_closed:
                raise closed()
            if self._thread is None:
                self._thread = WalletThread(self._closed)
            return self._thread

    async def _asked(self, ask: Callable[[Desk], Awaitable[T]]) -> T:
        """Ask the desk, on its own loop; one opening serves all who wait, and a failed one is tried again."""
        if self._opening is None or _has_failed(self._opening):
            self._opening = asyncio.create_task(self._open_desk(), name="open the wallet")
        return await ask(await asyncio.shield(self._opening))

    async def _closed(self) -> None:
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await self._close()


async def _nothing(_: Desk) -> None:
    """Ask nothing: the opening was the question."""


def _told_at_home(progress: Progress) -> Progress:
    """Return a progress that runs where the caller is, and is awaited where the wallet is."""
    home = asyncio.get_running_loop()

    async def tell(step: str) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_awaited(progress, step), home))

    return tell


async def _awaited(progress: Progress, step: str) -> None:
    await progress(step)


def _has_failed(task: "asyncio.Task[Desk]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
