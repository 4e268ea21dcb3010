"""Do real LangChain agents and LangGraph graphs pay what they ask for, and never twice, whatever runs again?"""

import asyncio
import json
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, ToolRetryMiddleware
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from langchain_tools import WalletToolkit
from mcp_wallet.contract.tools import AGENT_VERBS
from tests.conformance.langchain_agents import AgentWorld, ScriptedModel, agent_world, asks, says, thread
from tests.conformance.langchain_door import call_of, said, told, tools_of
from tests.promises import promise
from tests.worlds import ALICE, BOB

DOLLAR = 1_000_000
TEN = {"to": "alice", "amount": "10.00"}
APPROVE: Command[Any] = Command(resume={"decisions": [{"type": "approve"}]})
REJECT: Command[Any] = Command(resume={"decisions": [{"type": "reject", "message": "not today"}]})


def agent_of(world: AgentWorld, *script: Any, **options: Any) -> Any:
    tools = options.pop("tools", None) or WalletToolkit(world).get_tools()
    return create_agent(ScriptedModel(script=script), tools, **options)


async def run(agent: Any, asked: Any, config: RunnableConfig | None = None, *, sync: bool = False) -> dict[str, Any]:
    """Run the agent as an async program does, or as a sync one does that has no loop."""
    if not isinstance(asked, Command) and asked is not None:
        asked = {"messages": [("user", asked)]}
    if sync:
        return dict(await asyncio.to_thread(agent.invoke, asked, config or thread()))
    return dict(await agent.ainvoke(asked, config or thread()))


def answers(state: dict[str, Any]) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def guarded(world: AgentWorld) -> Any:
    """An agent whose payments a person sees before they are made."""
    middleware = HumanInTheLoopMiddleware(interrupt_on={"send_payment": {"allowed_decisions": ["approve", "reject"]}})
    return agent_of(world, asks(TEN), says("Done."), middleware=[middleware], checkpointer=InMemorySaver())


# --------------------------------------------------------------------------------------------------------- create_agent


@pytest.mark.parametrize("sync", [False, True])
async def test_an_agent_pays_and_reads_the_receipt(tmp_path: Path, sync: bool):
    async with agent_world(tmp_path) as world:
        state = await run(agent_of(world, asks(TEN), says("Alice has her money.")), "Refund alice.", sync=sync)
    (answer,) = answers(state)
    assert said(answer).startswith("10.00 USDC on local to alice: confirmed.")
    assert (answer.status, told(answer)["status"]) == ("success", "confirmed")
    assert state["messages"][-1].content == "Alice has her money."
    assert world.chain.balances == {ALICE: 10 * DOLLAR}


async def test_an_agent_reads_a_denial_as_an_answer_and_goes_on(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        script = (asks({"to": "mallory", "amount": "10.00"}), asks(TEN, calls_from=2), says("Done."))
        denied, paid = answers(await run(agent_of(world, *script), "Pay mallory, or else alice."))
    assert (denied.status, told(denied)["status"]) == ("success", "denied")
    assert "RECIPIENT_NOT_ALLOWED" in told(denied)["reason_codes"]
    assert (paid.status, told(paid)["status"]) == ("success", "confirmed")
    assert world.chain.balances == {ALICE: 10 * DOLLAR}


async def test_an_agent_is_told_how_to_mend_its_arguments(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        script = (asks({"to": "alice", "amount": 10.5}), asks(TEN, calls_from=2), says("Done."))
        refused, paid = answers(await run(agent_of(world, *script), "Refund alice."))
    assert (refused.status, paid.status) == ("error", "success")
    assert said(refused).startswith("AMOUNT_INVALID: An amount is text such as")
    assert world.paid == 1


async def test_payments_of_one_turn_are_made_at_once_and_an_equal_one_is_suspected(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        turn = asks(TEN, {"to": "bob", "amount": "5.00"}, TEN)
        state = await run(agent_of(world, turn, says("Done.")), "Refund both.")
    assert sorted(told(answer)["status"] for answer in answers(state)) == ["confirmed", "confirmed", "denied"]
    assert world.chain.balances == {ALICE: 10 * DOLLAR, BOB: 5 * DOLLAR}


async def test_a_read_only_agent_has_no_tool_that_pays(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        tools = WalletToolkit(world, read_only=True).get_tools()
        state = await run(agent_of(world, asks(TEN), says("I cannot."), tools=tools), "Refund alice.")
    assert {tool.name for tool in tools} == AGENT_VERBS - {"send_payment"}
    assert answers(state)[0].status == "error"
    assert world.paid == 0


# ----------------------------------------------------------------------------------------------------- a person between


@pytest.mark.parametrize("sync", [False, True])
async def test_nothing_is_paid_before_the_person_approves_and_then_once(tmp_path: Path, sync: bool):
    async with agent_world(tmp_path) as world:
        agent = guarded(world)
        waiting = await run(agent, "Refund alice.", sync=sync)
        (request,) = waiting["__interrupt__"][0].value["action_requests"]
        paid_before = world.paid
        (answer,) = answers(await run(agent, APPROVE, sync=sync))
    assert (request["name"], request["args"]) == ("send_payment", TEN)
    assert (paid_before, world.paid, told(answer)["status"]) == (0, 1, "confirmed")


async def test_a_rejection_pays_nothing_and_the_agent_reads_why(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        agent = guarded(world)
        await run(agent, "Refund alice.")
        (answer,) = answers(await run(agent, REJECT))
    assert (answer.status, world.paid) == ("error", 0)
    assert "not today" in said(answer)


async def test_what_a_person_edits_is_decided_anew_and_the_first_wish_is_not_paid(tmp_path: Path):
    """Leave `edit` out where you can; where you cannot, the policy judges what the person wrote."""
    guard = HumanInTheLoopMiddleware(interrupt_on={"send_payment": True})
    async with agent_world(tmp_path) as world:
        agent = agent_of(world, asks(TEN), says("?"), middleware=[guard], checkpointer=InMemorySaver())
        await run(agent, "Refund alice.")
        edited = {"name": "send_payment", "args": TEN | {"to": "mallory"}}
        (answer,) = answers(
            await run(agent, Command(resume={"decisions": [{"type": "edit", "edited_action": edited}]}))
        )
    assert "RECIPIENT_NOT_ALLOWED" in told(answer)["reason_codes"]
    assert world.paid == 0


@promise("exactly-once")
async def test_an_approval_that_arrives_twice_pays_once(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        agent = guarded(world)
        await run(agent, "Refund alice.")
        asked = (await agent.aget_state(thread())).config
        (first,) = answers(await run(agent, APPROVE, asked))
        (again,) = answers(await run(agent, APPROVE, asked))
    assert (told(first)["replayed"], told(again)["replayed"]) == (False, True)
    assert told(first)["payment_id"] == told(again)["payment_id"]
    assert world.paid == 1


# ------------------------------------------------------------------------------------------------ what is run once more


async def test_retry_middleware_has_nothing_to_retry_since_errors_are_answers(tmp_path: Path):
    async with agent_world(tmp_path, lost=1) as world:
        retry = ToolRetryMiddleware(max_retries=3, initial_delay=0)
        (answer,) = answers(await run(agent_of(world, asks(TEN), says("?"), middleware=[retry]), "Refund alice."))
    assert (answer.status, said(answer)) == ("error", "LEDGER_UNAVAILABLE: The ledger did not answer: ask get_payment.")
    assert world.paid == 1


@promise("exactly-once")
@pytest.mark.parametrize("sync", [False, True])
async def test_retry_middleware_never_pays_twice(tmp_path: Path, sync: bool):
    """Here errors are raised, so that the middleware runs the tool again after its answers were lost."""
    async with agent_world(tmp_path, lost=2) as world:
        tools = WalletToolkit(world).get_tools()
        for tool in tools:
            tool.handle_tool_error = False
        retry = ToolRetryMiddleware(max_retries=3, initial_delay=0)
        agent = agent_of(world, asks(TEN), says("Done."), tools=tools, middleware=[retry])
        (answer,) = answers(await run(agent, "Refund alice.", sync=sync))
    assert world.lost == 0
    assert (told(answer)["status"], told(answer)["replayed"]) == ("confirmed", True)
    assert (world.paid, world.chain.balances) == (1, {ALICE: 10 * DOLLAR})


async def test_a_model_that_asks_again_after_a_lost_answer_is_stopped(tmp_path: Path):
    async with agent_world(tmp_path, lost=1) as world:
        agent = agent_of(world, asks(TEN), asks(TEN, calls_from=2), says("It was paid."))
        lost, again = answers(await run(agent, "Refund alice."))
    assert (lost.status, told(again)["reason_codes"]) == ("error", ["DUPLICATE_SUSPECTED"])
    assert world.paid == 1


@promise("exactly-once")
async def test_an_agent_that_is_run_again_from_an_earlier_checkpoint_pays_once(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        agent = agent_of(world, asks(TEN), says("Done."), checkpointer=InMemorySaver())
        await run(agent, "Refund alice.")
        past = [found async for found in agent.aget_state_history(thread())]
        before_the_tool = next(found.config for found in past if found.next == ("tools",))
        (again,) = answers(await run(agent, None, before_the_tool))
    assert told(again)["replayed"] is True
    assert world.paid == 1


class Refund(TypedDict, total=False):
    """The state of a small graph."""

    receipts: list[dict[str, Any]]
    answer: str


def graph_of(world: AgentWorld, after_paying: Any, *, called: Any = None) -> Any:
    """A graph whose only node pays, and then does what the test wants.

    Args:
        called: How the node calls the tool; as a model does unless told otherwise.
    """
    tool = tools_of(world)["send_payment"]
    runs: list[dict[str, Any]] = []

    async def refund(state: Refund, config: RunnableConfig) -> Refund:
        paid = await (called(tool) if called else tool.ainvoke(call_of("send_payment", TEN), config))
        runs.append(told(paid) if isinstance(paid, ToolMessage) else json.loads(paid.partition("\n")[2]))
        return {"receipts": list(runs), "answer": after_paying(len(runs))}

    graph = StateGraph(Refund)
    graph.add_node("refund", refund)
    graph.add_edge(START, "refund")
    graph.add_edge("refund", END)
    return graph.compile(checkpointer=InMemorySaver())


@promise("exactly-once")
async def test_a_node_that_interrupts_after_paying_runs_again_and_pays_once(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        graph = graph_of(world, lambda times_run: interrupt("Tell alice?"))
        waiting = await graph.ainvoke({}, thread())
        state = await graph.ainvoke(Command(resume="yes"), thread())
    assert waiting["__interrupt__"][0].value == "Tell alice?"
    assert [receipt["replayed"] for receipt in state["receipts"]] == [False, True]
    assert (state["answer"], world.paid) == ("yes", 1)


@promise("exactly-once")
async def test_a_person_who_takes_an_hour_does_not_make_a_node_pay_again(tmp_path: Path):
    """The node calls with bare arguments: no call id names the payment, and equal content is long forgotten."""
    async with agent_world(tmp_path) as world:
        graph = graph_of(world, lambda times_run: interrupt("Tell alice?"), called=lambda tool: tool.ainvoke(TEN))
        await graph.ainvoke({}, thread())
        world.clock.advance(3_600_000)
        state = await graph.ainvoke(Command(resume="yes"), thread())
    assert [receipt.get("replayed", False) for receipt in state["receipts"]] == [False, True]
    assert (state["answer"], world.paid) == ("yes", 1)


@promise("exactly-once")
async def test_an_approval_that_arrives_again_after_an_hour_pays_nothing_more(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        agent = guarded(world)
        await run(agent, "Refund alice.")
        asked = (await agent.aget_state(thread())).config
        await run(agent, APPROVE, asked)
        world.clock.advance(3_600_000)
        (again,) = answers(await run(agent, APPROVE, asked))
    assert (told(again)["replayed"], world.paid) == (True, 1)


async def test_the_same_node_in_another_run_pays_anew(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        graph = graph_of(world, lambda times_run: "done", called=lambda tool: tool.ainvoke(TEN))
        await graph.ainvoke({}, thread())
        world.clock.advance(3_600_000)
        await graph.ainvoke({}, thread())
        assert world.paid == 2


@promise("exactly-once")
async def test_a_node_that_dies_after_paying_runs_again_and_pays_once(tmp_path: Path):
    def die_once(times_run: int) -> str:
        if times_run == 1:
            raise ConnectionError("the process died here")
        return "recovered"

    async with agent_world(tmp_path) as world:
        graph = graph_of(world, die_once)
        with pytest.raises(ConnectionError):
            await graph.ainvoke({}, thread())
        state = await graph.ainvoke(None, thread())
    assert [receipt["replayed"] for receipt in state["receipts"]] == [False, True]
    assert (state["answer"], world.paid) == ("recovered", 1)


async def test_the_same_call_in_another_conversation_is_suspected_and_with_a_reference_it_is_paid(tmp_path: Path):
    async with agent_world(tmp_path) as world:
        agent = agent_of(world, asks(TEN), asks(TEN | {"reference": "second"}, calls_from=2), says("Done."))
        await run(agent_of(world, asks(TEN), says("Done.")), "Refund alice.", thread("one"))
        suspected, paid = answers(await run(agent, "Refund alice.", thread("two")))
    assert told(suspected)["reason_codes"] == ["DUPLICATE_SUSPECTED"]
    assert (told(paid)["status"], world.paid) == ("confirmed", 2)
