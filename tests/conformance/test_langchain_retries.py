"""Does a call that LangGraph or a retry runs again pay once? And is another call another payment?"""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool

from tests.conformance.langchain_door import call_of, desk_at, told, tools_of
from tests.fakechain import FakeChain, FakeSigner
from tests.fakes import FakeDesk
from tests.promises import promise
from tests.worlds import ALICE, LedgerWorld, ledger_world

DOLLAR = 1_000_000
PAYMENT = {"to": "alice", "amount": "50.00"}
THREAD: RunnableConfig = {"configurable": {"thread_id": "refunds-7"}}


def key_of(
    arguments: dict[str, Any],
    *,
    call_id: str = "call_1",
    config: RunnableConfig | None = THREAD,
    tool: str = "send_payment",
) -> str:
    """Return the key that reaches the wallet."""
    desk = FakeDesk()
    answer = tools_of(desk)[tool].invoke(call_of(tool, arguments, call_id), config)
    assert answer.status == "success"
    return desk.drafts[0].idempotency_key


KEY = key_of(PAYMENT)


def test_the_same_call_has_the_same_key_for_ever():
    assert key_of(PAYMENT) == KEY == "lc-06498c931a538e745040907a69a5652a96001301242cd5c3"


async def test_sync_and_async_give_the_same_key():
    desk = FakeDesk()
    await tools_of(desk)["send_payment"].ainvoke(call_of("send_payment", PAYMENT), THREAD)
    assert desk.drafts[0].idempotency_key == KEY


@pytest.mark.parametrize(
    "same",
    [
        {"amount": "50.00", "to": "alice"},
        PAYMENT | {"asset": "usdc", "chain": "", "reference": "", "memo": "", "idempotency_key": ""},
    ],
)
def test_order_and_written_defaults_make_no_other_call(same: dict[str, Any]):
    assert key_of(same) == KEY


def test_a_simulated_call_has_the_key_of_the_real_one():
    assert key_of(PAYMENT, tool="simulate_payment") == KEY


@pytest.mark.parametrize("change", [{"amount": "50.01"}, {"to": "bob"}, {"memo": "again"}, {"chain": "base"}])
def test_the_same_call_id_with_other_arguments_is_another_call(change: dict[str, Any]):
    assert key_of(PAYMENT | change) not in {KEY, ""}


def test_another_call_or_another_thread_is_another_call():
    other: RunnableConfig = {"configurable": {"thread_id": "refunds-8"}}
    keys = {KEY, key_of(PAYMENT, call_id="call_2"), key_of(PAYMENT, config=other), key_of(PAYMENT, config=None)}
    assert len(keys) == 4
    assert "" not in keys


def test_what_the_model_gave_stands():
    assert key_of(PAYMENT | {"idempotency_key": "mine"}) == "mine"
    assert key_of(PAYMENT | {"reference": "refund 1234"}) == ""


def test_a_program_that_calls_without_a_call_id_gets_no_key():
    desk = FakeDesk()
    tools_of(desk)["send_payment"].invoke(PAYMENT, THREAD)
    tools_of(desk)["send_payment"].run(PAYMENT)
    assert [draft.idempotency_key for draft in desk.drafts] == ["", ""]


# ------------------------------------------------------------------------------------------------ through a real wallet


def sender_of(world: LedgerWorld, chain: FakeChain, signer: FakeSigner) -> BaseTool:
    return tools_of(desk_at(world, chain, signer))["send_payment"]


@promise("exactly-once")
async def test_a_call_that_runs_again_is_answered_by_the_first_payment(tmp_path: Path):
    signer, chain = FakeSigner(), FakeChain()
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    tool = sender_of(world, chain, signer)
    call = call_of("send_payment", {"to": "alice", "amount": "1.00"})
    first = told(await tool.ainvoke(call, THREAD))
    again = told(await sender_of(world, chain, signer).ainvoke(call, THREAD))
    assert (first["status"], first["replayed"]) == ("confirmed", False)
    assert (again["payment_id"], again["status"], again["replayed"]) == (first["payment_id"], "confirmed", True)
    assert chain.balances == {ALICE: DOLLAR}
    await world.ledger.close()


async def test_the_same_call_id_with_another_amount_is_another_payment(tmp_path: Path):
    signer, chain = FakeSigner(), FakeChain()
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    tool = sender_of(world, chain, signer)
    for amount in ("1.00", "2.00"):
        answer = told(await tool.ainvoke(call_of("send_payment", {"to": "alice", "amount": amount}), THREAD))
        assert (answer["status"], answer["replayed"]) == ("confirmed", False)
    assert chain.balances == {ALICE: 3 * DOLLAR}
    await world.ledger.close()


async def test_a_new_call_for_an_equal_payment_is_suspected(tmp_path: Path):
    """The derived key must not switch off the guard against a model that asks twice."""
    signer, chain = FakeSigner(), FakeChain()
    world = await ledger_world(tmp_path / "ledger.db", sender=signer.address)
    tool = sender_of(world, chain, signer)
    payment = {"to": "alice", "amount": "1.00"}
    await tool.ainvoke(call_of("send_payment", payment), THREAD)
    second = told(await tool.ainvoke(call_of("send_payment", payment, "call_2"), THREAD))
    assert (second["status"], second["reason_codes"]) == ("denied", ["DUPLICATE_SUSPECTED"])
    assert chain.balances == {ALICE: DOLLAR}
    await world.ledger.close()
