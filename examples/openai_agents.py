"""An agent of the OpenAI Agents SDK that pays through MCP, on play money and without an API key.

Needs `pip install openai-agents` in an environment of its own, and a server to start: `python openai_agents.py` starts
`mcp-wallet serve --dev`; another command may follow the name. A script plays the LLM; for a real model, give
`Agent` its name instead.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, ModelResponse, Runner, set_tracing_disabled
from agents.items import ToolCallOutputItem
from agents.mcp import MCPServerStdio
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

SCRIPT = (
    ("list_payees", {}),
    ("send_payment", {"to": "alice", "amount": "20.50", "reference": "order 77"}),
    ("send_payment", {"to": "alice", "amount": "20.50", "reference": "order 77"}),
    ("send_payment", {"to": "mallory", "amount": "20.50", "reference": "order 78"}),
    "Alice was paid once for order 77. Mallory cannot be paid.",
)


class ScriptedModel(Model):
    """Says its n-th line as its n-th answer: a tool call, or at the end a text."""

    def __init__(self) -> None:
        """Begin at the first line."""
        self._lines = iter(enumerate(SCRIPT))

    async def get_response(self, *_: Any, **__: Any) -> ModelResponse:
        """Return the next line."""
        number, line = next(self._lines)
        return ModelResponse(output=[_said(number, line)], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Refuse: a script is not read a word at a time."""
        message = "the scripted model does not stream"
        raise TypeError(message)


def _said(number: int, line: str | tuple[str, dict[str, str]]) -> ResponseFunctionToolCall | ResponseOutputMessage:
    if isinstance(line, str):
        text = ResponseOutputText(type="output_text", text=line, annotations=[])
        return ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])
    tool, arguments = line
    return ResponseFunctionToolCall(
        type="function_call", call_id=f"call_{number}", name=tool, arguments=json.dumps(arguments)
    )


async def main(command: list[str]) -> None:
    """Let the agent work; an assertion fails when an answer is not what the policy says."""
    set_tracing_disabled(disabled=True)
    server = MCPServerStdio({"command": command[0], "args": command[1:]}, client_session_timeout_seconds=60)
    async with server:
        agent = Agent(name="refunds", instructions="Refund order 77.", model=ScriptedModel(), mcp_servers=[server])
        result = await Runner.run(agent, "Refund order 77 to alice, 20.50 USDC, then order 78 to mallory.")
    answers = [item.output["text"] for item in result.new_items if isinstance(item, ToolCallOutputItem)]
    for call, answer in zip(SCRIPT, answers, strict=False):
        print(f"agent calls {call[0]} {call[1]}")
        print(f"  {answer.splitlines()[0]}")
    print(f"agent: {result.final_output}")
    payees, paid, again, denied = (json.loads(answer.splitlines()[1]) for answer in answers)
    assert payees["payees"] == ["alice", "bob"]
    assert (paid["decision"], denied["decision"]) == ("ALLOW", "DENY")
    assert (again["replayed"], again["payment_id"]) == (True, paid["payment_id"])
    assert "RECIPIENT_NOT_ALLOWED" in denied["reason_codes"]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["mcp-wallet", "serve", "--dev"]))
