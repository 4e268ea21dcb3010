"""A LangGraph graph in which a person sees each payment before it is made, on play money and without an API key.

Needs `pip install "mcp-wallet[devnet]" langgraph`. Run it with `python langgraph_human.py`. LangGraph runs a node again
when it resumes, and a program may resume twice: the wallet pays once all the same.
"""

import asyncio
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from langchain_tools import SendPaymentTool
from mcp_wallet import PolicyWallet, create_web3_adapter, open_playground


class Refund(TypedDict, total=False):
    """What the graph carries: an order, the call that it will make, and what became of it."""

    order: dict[str, str]
    call: dict[str, Any]
    outcome: str
    replayed: bool


def graph_of(wallet: PolicyWallet) -> Any:
    """Return the graph: prepare the payment, ask the person, pay."""
    pay = SendPaymentTool(wallet=wallet)

    def prepare(state: Refund) -> Refund:
        arguments = {**state["order"], "memo": "refund agreed by mail"}
        return {"call": {"type": "tool_call", "name": pay.name, "args": arguments, "id": "refund-1"}}

    async def ask_and_pay(state: Refund, config: RunnableConfig) -> Refund:
        if interrupt(state["call"]["args"]) != "yes":  # the graph stops here until somebody resumes it
            return {"outcome": "the person said no"}
        answer = await pay.ainvoke(state["call"], config)
        return {"outcome": answer.artifact["status"], "replayed": answer.artifact["replayed"]}

    graph = StateGraph(Refund)
    graph.add_node("prepare", prepare)
    graph.add_node("ask_and_pay", ask_and_pay)
    graph.add_edge(START, "prepare")
    graph.add_edge("prepare", "ask_and_pay")
    graph.add_edge("ask_and_pay", END)
    return graph.compile(checkpointer=InMemorySaver())


async def main() -> None:
    """Refuse one payment, approve another, and let the approval arrive twice."""
    async with open_playground() as play:
        adapter = await create_web3_adapter(play.private_key, play.rpc_url)
        async with PolicyWallet(adapter, api_key=play.api_key, environ=play.environ) as wallet:
            graph = graph_of(wallet)

            refused: RunnableConfig = {"configurable": {"thread_id": "order 77"}}
            asked = await graph.ainvoke({"order": {"to": "bob", "amount": "30.00"}}, refused)
            print(f"The graph asks: may I pay {asked['__interrupt__'][0].value}?")
            ended = await graph.ainvoke(Command(resume="no"), refused)
            print(f"  no -> {ended['outcome']}")
            assert await play.dollars("bob") == "0.00"

            approved: RunnableConfig = {"configurable": {"thread_id": "order 78"}}
            asked = await graph.ainvoke({"order": {"to": "alice", "amount": "40.00"}}, approved)
            print(f"The graph asks: may I pay {asked['__interrupt__'][0].value}?")
            assert await play.dollars("alice") == "0.00", "nothing is paid while it asks"
            waiting = (await graph.aget_state(approved)).config
            ended = await graph.ainvoke(Command(resume="yes"), waiting)
            print(f"  yes -> {ended['outcome']}")
            assert (ended["outcome"], ended["replayed"]) == ("confirmed", False)

            ended = await graph.ainvoke(Command(resume="yes"), waiting)
            print(f"  yes, once more -> {ended['outcome']}, replayed: {ended['replayed']}")
            assert (ended["outcome"], ended["replayed"]) == ("confirmed", True)
        assert (await play.dollars("alice"), await play.dollars("bob")) == ("40.00", "0.00")
        print("The chain says: alice 40.00, bob 0.00.")


if __name__ == "__main__":
    asyncio.run(main())
