"""Can the tools be called from anywhere: sync, async, inside a running loop, from many threads?"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from langchain_core.tools import BaseTool

from langchain_tools import WalletToolkit, loop
from mcp_wallet.contract.desk import Desk
from mcp_wallet.contract.results import PayeeList
from mcp_wallet.contract.wording import FAULT
from mcp_wallet.doors.python.desk import ThreadedDesk
from tests.conformance.langchain_door import call_of, said, tools_of
from tests.fakes import FakeDesk

PAYMENT = {"to": "alice", "amount": "50.00"}


@dataclass
class PlacedDesk(FakeDesk):
    """Notes on which loop, and on which thread, it was asked."""

    places: list[tuple[asyncio.AbstractEventLoop, str]] = field(default_factory=list)

    async def list_payees(self) -> PayeeList:
        self.places.append((asyncio.get_running_loop(), threading.current_thread().name))
        return await super().list_payees()


@dataclass
class WaitingDesk(FakeDesk):
    """Answers when it is let go."""

    loop: asyncio.AbstractEventLoop | None = None
    go: asyncio.Event = field(default_factory=asyncio.Event)
    answered: threading.Event = field(default_factory=threading.Event)

    async def list_payees(self) -> PayeeList:
        self.loop = asyncio.get_running_loop()
        await self.go.wait()
        self.answered.set()
        return await super().list_payees()


@dataclass
class Owner:
    """What a toolkit sees of a `PolicyWallet`."""

    desk: ThreadedDesk


def payees_tool(desk: FakeDesk) -> BaseTool:
    return tools_of(desk)["list_payees"]


def test_a_sync_program_needs_no_loop():
    desk = PlacedDesk()
    assert payees_tool(desk).invoke({}).startswith("Send one of these names")
    assert [name for _, name in desk.places] == ["wallet tools"]


async def test_an_async_call_runs_on_the_loop_of_its_caller():
    desk = PlacedDesk()
    await payees_tool(desk).ainvoke({})
    assert [where for where, _ in desk.places] == [asyncio.get_running_loop()]


async def test_a_sync_call_inside_a_running_loop_is_answered():
    desk = FakeDesk()
    answer = tools_of(desk)["send_payment"].invoke(call_of("send_payment", PAYMENT))
    assert answer.status == "success"
    assert len(desk.sent) == 1


async def test_a_sync_call_is_answered_while_the_running_loop_waits_for_its_thread():
    """So does an agent that is invoked in a notebook: its tools run on threads, the notebook's loop stands still."""
    tool = payees_tool(FakeDesk())
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(tool.invoke, {}).result().startswith("Send one of these names")


async def test_async_calls_follow_a_sync_call_to_its_loop_because_a_wallet_has_one():
    desk = PlacedDesk()
    tools = tools_of(desk)
    tools["check_budget"].invoke({})
    await tools["list_payees"].ainvoke({})
    tools["list_payees"].invoke({})
    assert [name for _, name in desk.places] == ["wallet tools"] * 2


async def test_a_bare_desk_that_was_called_async_refuses_sync_calls_while_its_loop_runs():
    desk = FakeDesk()
    tools = tools_of(desk)
    await tools["list_payees"].ainvoke({})
    answer = tools["send_payment"].invoke(call_of("send_payment", PAYMENT))
    assert said(answer).startswith("LEDGER_UNAVAILABLE: This wallet belongs to a running event loop")
    assert desk.sent == {}


def test_a_bare_desk_whose_loop_has_ended_can_be_called_sync():
    tool = payees_tool(FakeDesk())
    asyncio.run(tool.ainvoke({}))
    assert tool.invoke({}).startswith("Send one of these names")


async def test_a_wallet_on_a_loop_of_its_own_takes_async_and_sync_calls_in_any_order():
    desk = PlacedDesk()

    async def opened() -> Desk:
        return desk

    async def nothing() -> None:
        """Nothing was opened."""

    owner = Owner(ThreadedDesk(opened, nothing))
    tool = tools_of(owner)["list_payees"]
    answers = [await tool.ainvoke({}), tool.invoke({}), await tool.ainvoke({}), tool.invoke({})]
    assert len(set(answers)) == 1
    assert {name for _, name in desk.places} == {"mcp-wallet"}
    await owner.desk.aclose()


def test_many_threads_share_one_background_loop():
    desk = PlacedDesk()
    tool = payees_tool(desk)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: tool.invoke({}), range(200)))
    assert len(set(answers)) == 1
    assert len(set(desk.places)) == 1
    assert sum(thread.name == "wallet tools" for thread in threading.enumerate()) == 1


def test_an_answer_that_does_not_come_is_unknown_and_the_call_goes_on(monkeypatch: pytest.MonkeyPatch):
    desk = WaitingDesk()
    tool = payees_tool(desk)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "ANSWER_SECONDS_MAX", 0)
        assert said(tool.invoke(call_of("list_payees", {}))) == FAULT
    loop._background_loop().call_soon_threadsafe(desk.go.set)
    assert desk.answered.wait(10)


def test_a_toolkit_gives_new_tools_each_time():
    toolkit = WalletToolkit(FakeDesk())
    assert toolkit.get_tools()[0] is not toolkit.get_tools()[0]
