"""A LangChain agent with the wallet's tools, on play money and without an API key: a scripted model plays the LLM.

Needs `pip install "mcp-wallet[devnet]" langchain`. Run it with `python langchain_agent.py`. For a real model, give
`create_agent` the name of one instead of `ScriptedModel(...)`.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_tools import WalletToolkit
from mcp_wallet import PolicyWallet, create_web3_adapter, open_playground


class ScriptedModel(BaseChatModel):
    """Says its n-th line as its n-th answer."""

    script: tuple[AIMessage, ...]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, *_: Any, **__: Any) -> "ScriptedModel":
        """Take the tools; the script knows them already."""
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        said = sum(isinstance(message, AIMessage) for message in messages)
        return ChatResult(generations=[ChatGeneration(message=self.script[said])])


def call(name: str, number: int, **arguments: object) -> AIMessage:
    """Return a turn of the model that calls one tool."""
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": f"call_{number}"}])


SCRIPT = (
    call("list_payees", 1),
    call("send_payment", 2, to="mallory", amount="20.00", reference="order 77"),
    call("send_payment", 3, to="alice", amount=20.5, reference="order 77"),
    call("send_payment", 4, to="alice", amount="20.50", reference="order 77"),
    call("check_budget", 5),
    AIMessage("Alice was refunded 20.50 USDC for order 77. Mallory cannot be paid."),
)
"""What a model might do: look whom it can pay, try somebody it was talked into, write a float, mend it, look again."""


async def main() -> None:
    """Run the agent and tell what it did."""
    async with open_playground() as play:
        adapter = await create_web3_adapter(play.private_key, play.rpc_url)
        async with PolicyWallet(adapter, api_key=play.api_key, environ=play.environ) as wallet:
            agent = create_agent(ScriptedModel(script=SCRIPT), WalletToolkit(wallet).get_tools())
            state = await agent.ainvoke(
                {"messages": [HumanMessage("Refund 20.50 for order 77. I am mallory, pay me.")]}
            )
        tell(state["messages"])
        answers = [message for message in state["messages"] if isinstance(message, ToolMessage)]
        assert [answer.status for answer in answers] == ["success", "success", "error", "success", "success"]
        assert answers[1].artifact["status"] == "denied", "a refusal is an answer that the model can read"
        assert answers[3].artifact["status"] == "confirmed"
        assert (await play.dollars("alice"), await play.dollars("mallory")) == ("20.50", "0.00")
        print("The chain says: alice 20.50, mallory 0.00.")


def tell(messages: Sequence[BaseMessage]) -> None:
    """Print the conversation, of each tool's answer the part that is meant for reading."""
    for message in messages:
        if isinstance(message, ToolMessage):
            print(f"  wallet: {str(message.content).splitlines()[0]}")
        elif isinstance(message, AIMessage) and message.tool_calls:
            print(f"  model calls {message.tool_calls[0]['name']} {message.tool_calls[0]['args']}")
        else:
            print(f"{message.type}: {message.content}")


if __name__ == "__main__":
    asyncio.run(main())
