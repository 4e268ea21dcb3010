"""A wallet on a thread of its own: one opening for all, any loop, an end that is no cancellation."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet.contract.desk import Desk
from mcp_wallet.contract.results import PayeeList
from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.intent import PaymentRequest
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.python import thread
from mcp_wallet.doors.python.desk import ThreadedDesk
from tests.fakes import FakeDesk

ROOT = Path(__file__).parents[3]
PAYMENT = PaymentRequest(to="alice", amount="50.00")


@dataclass
class Opened:
    """Counts how often it is opened and closed; fails as often as it is told."""

    desk: FakeDesk = field(default_factory=FakeDesk)
    failures: int = 0
    opened: int = 0
    closed: int = 0
    threads: set[str] = field(default_factory=set)

    async def open(self) -> Desk:
        self.opened += 1
        self.threads.add(threading.current_thread().name)
        if self.failures:
            self.failures -= 1
            raise OutsideError(ReasonCode.LEDGER_UNAVAILABLE, "The ledger is busy.")
        return self.desk

    async def close(self) -> None:
        self.closed += 1


@asynccontextmanager
async def threaded(
    opened: Opened, close: Callable[[], Coroutine[Any, Any, None]] | None = None
) -> AsyncIterator[ThreadedDesk]:
    desk = ThreadedDesk(opened.open, close or opened.close)
    try:
        yield desk
    finally:
        await desk.aclose()


async def test_the_first_call_opens_and_the_end_closes_once():
    opened = Opened()
    async with threaded(opened) as desk:
        assert opened.opened == 0
        await asyncio.gather(*(desk.list_payees() for _ in range(20)))
        await desk.aclose()
    assert (opened.opened, opened.closed, opened.threads) == (1, 1, {"mcp-wallet"})


async def test_a_wallet_that_was_never_asked_closes_nothing():
    opened = Opened()
    async with threaded(opened):
        pass
    assert (opened.opened, opened.closed) == (0, 0)


async def test_a_failed_opening_is_told_and_tried_again():
    async with threaded(Opened(failures=1)) as desk:
        with pytest.raises(OutsideError, match="busy"):
            await desk.open()
        assert (await desk.list_payees()).payees == ["alice", "bob"]


async def test_every_verb_reaches_the_desk():
    opened = Opened()
    async with threaded(opened) as desk:
        paid = await desk.send_payment(PAYMENT)
        assert (await desk.simulate_payment(PAYMENT)).status == "confirmed"
        assert await desk.get_payment(payment_id=paid.payment_id) == paid
        assert (await desk.check_budget(asset="usdc", chain="base")).remaining == ["950.00"]
        assert (await desk.list_payments(limit=5)).payment_ids == [paid.payment_id]
        await desk.refused(ReasonCode.AMOUNT_INVALID)
    assert opened.desk.asked[1:] == [{"asset": "usdc", "chain": "base"}, {"limit": 5, "status": ""}]
    assert opened.desk.refusals == [ReasonCode.AMOUNT_INVALID]


async def test_callers_on_other_loops_and_threads_share_the_one_wallet():
    opened = Opened()
    async with threaded(opened) as desk:
        await desk.list_payees()
        with ThreadPoolExecutor(8) as pool:  # this loop stands still meanwhile
            answers = list(pool.map(lambda _: asyncio.run(desk.list_payees()), range(40)))
    assert {tuple(answer.payees) for answer in answers} == {("alice", "bob")}
    assert opened.opened == 1


async def test_progress_is_told_on_the_loop_of_its_caller():
    told: list[tuple[str, str]] = []

    async def tell(step: str) -> None:
        told.append((step, threading.current_thread().name))

    async with threaded(Opened(desk=FakeDesk(steps=("signing", "waiting")))) as desk:
        await desk.send_payment(PAYMENT, progress=tell)
    here = threading.current_thread().name
    assert told == [("signing", here), ("waiting", here)]


@dataclass
class StuckDesk(FakeDesk):
    """Never answers; says when it is asked."""

    asked_once: threading.Event = field(default_factory=threading.Event)
    cancelled: threading.Event = field(default_factory=threading.Event)

    async def list_payees(self) -> PayeeList:
        self.asked_once.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return await super().list_payees()


async def stuck(desk: ThreadedDesk, asked_once: threading.Event) -> "asyncio.Task[PayeeList]":
    call = asyncio.create_task(desk.list_payees())
    await asyncio.to_thread(asked_once.wait, 30)
    return call


async def test_a_call_that_the_end_overtakes_is_refused_not_cancelled():
    slow = StuckDesk()
    async with threaded(Opened(desk=slow)) as desk:
        call = await stuck(desk, slow.asked_once)
        await desk.aclose()
        with pytest.raises(OwnerError, match="is closed"):
            await call


async def test_a_caller_that_gives_up_cancels_its_call():
    slow = StuckDesk()
    async with threaded(Opened(desk=slow)) as desk:
        call = await stuck(desk, slow.asked_once)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await asyncio.to_thread(slow.cancelled.wait, 30)


async def test_a_closed_wallet_refuses():
    async with threaded(Opened()) as desk:
        await desk.list_payees()
        await desk.aclose()
        with pytest.raises(OwnerError) as refused:
            await desk.list_payees()
    assert refused.value.code == ReasonCode.LEDGER_UNAVAILABLE


async def test_a_forked_process_may_neither_ask_nor_close_the_wallet(monkeypatch: pytest.MonkeyPatch):
    opened = Opened()
    async with threaded(opened) as desk:
        await desk.list_payees()
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            with pytest.raises(OwnerError, match="forked"):
                await desk.list_payees()
            await desk.aclose()
            thread._close_all()
        assert opened.closed == 0
    assert opened.closed == 1


async def test_a_close_that_fails_is_told_and_one_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch):
    async def fail() -> None:
        raise OutsideError(ReasonCode.DISK_FULL, "The disk is full.")

    async def hang() -> None:
        await asyncio.get_running_loop().create_future()

    failing, hanging = ThreadedDesk(Opened().open, fail), ThreadedDesk(Opened().open, hang)
    await failing.list_payees()
    with pytest.raises(OutsideError, match="full"):
        await failing.aclose()
    await hanging.list_payees()
    monkeypatch.setattr(thread, "CLOSING_SECONDS_MAX", 0)
    await hanging.aclose()


def test_a_program_that_forgets_its_wallet_closes_it_at_its_end_and_can_use_threads_for_it():
    script = (
        "import asyncio\n"
        "from mcp_wallet.doors.python.desk import ThreadedDesk\n"
        "from tests.fakes import FakeDesk\n"
        "async def opened(): return FakeDesk()\n"
        "async def close(): print(await asyncio.to_thread(str, 'closed'))\n"
        "desk = ThreadedDesk(opened, close)\n"
        "print(asyncio.run(desk.list_payees()).payees, asyncio.run(desk.list_payees()).payees)\n"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "['alice', 'bob'] ['alice', 'bob']\nclosed\n"
