"""Does LangChain offer and say what MCP does, word for word, and of faults nothing?"""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_tools import ListPayeesTool, SendPaymentTool
from mcp_wallet.contract.tools import AGENT_VERBS, TOOLS, Tool
from mcp_wallet.contract.wording import FAULT
from mcp_wallet.core.errors import CallerError, InvariantBroken, OutsideError, OwnerError
from mcp_wallet.core.reasons import ReasonCode
from tests.conformance.langchain_door import call_of, said, told, tools_of
from tests.conformance.mcp_door import client_of, server_of, text_of
from tests.fakes import FakeDesk

ROOT = Path(__file__).parent.parent.parent
SNAPSHOTS = Path(__file__).parent / "snapshots"
PAYMENT = {"to": "alice", "amount": "50.00", "reference": "refund 1234"}
CALLS: dict[str, dict[str, Any]] = {
    "send_payment": PAYMENT,
    "simulate_payment": PAYMENT,
    "check_budget": {},
    "get_payment": {"payment_id": "pay_1"},
    "list_payments": {},
    "list_payees": {},
}
SECRET = "sk-live-0123456789"
BAD = [
    ("send_payment", {}, "INTENT_INVALID: `to` is missing"),
    ("send_payment", {"to": "alice"}, "INTENT_INVALID: `amount` is missing"),
    ("send_payment", PAYMENT | {"amount": 1.5}, "AMOUNT_INVALID: "),
    ("send_payment", PAYMENT | {"amount": "1e3"}, "AMOUNT_INVALID: "),
    ("send_payment", PAYMENT | {"amount": None}, "AMOUNT_INVALID: "),
    ("send_payment", PAYMENT | {"amount": ["1"]}, "AMOUNT_INVALID: "),
    ("send_payment", PAYMENT | {"to": 7}, "RECIPIENT_INVALID: "),
    ("send_payment", PAYMENT | {"to": {1: 2, "a": 3}}, "RECIPIENT_INVALID: "),
    ("send_payment", PAYMENT | {"to": "carol"}, "RECIPIENT_UNKNOWN: "),
    ("send_payment", PAYMENT | {"reference": "a\u202eb"}, "INTENT_INVALID: "),
    ("send_payment", PAYMENT | {"memo": "\ud800"}, "INTENT_INVALID: "),
    ("send_payment", PAYMENT | {"force": True}, "INTENT_INVALID: `force` is not an argument of send_payment"),
    ("send_payment", PAYMENT | {"config": {}}, "INTENT_INVALID: `config` is not an argument"),
    ("send_payment", PAYMENT | {"run_manager": "x"}, "INTENT_INVALID: `run_manager` is not an argument"),
    ("send_payment", PAYMENT | {"call": "x"}, "INTENT_INVALID: `call` is not an argument"),
    ("simulate_payment", PAYMENT | {"idempotency_key": "a b"}, "INTENT_INVALID: `idempotency_key` must be"),
    ("check_budget", {"asset": 1}, "INTENT_INVALID: `asset` must be text"),
    ("get_payment", {}, "INTENT_INVALID: Send exactly one of"),
    ("get_payment", {"payment_id": "pay_9"}, "PAYMENT_UNKNOWN: "),
    ("list_payments", {"limit": 0}, "INTENT_INVALID: `limit` must be"),
    ("list_payments", {"status": "paid"}, "INTENT_INVALID: `status` must be"),
    ("list_payees", {"all": True}, "INTENT_INVALID: `all` is not an argument of list_payees"),
]

each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)


# ------------------------------------------------------------------------------------------------------ what is offered


@each_tool
def test_a_chat_model_is_shown_what_an_mcp_client_is_shown(tool: Tool):
    listed = json.loads((SNAPSHOTS / f"{tool.name}.json").read_text("utf-8"))
    shown = convert_to_openai_tool(tools_of(FakeDesk())[tool.name])["function"]
    assert shown == {
        "name": listed["name"],
        "description": listed["description"],
        "parameters": listed["inputSchema"],
    }


@each_tool
def test_every_way_to_ask_for_the_schema_gives_the_same(tool: Tool):
    offered = tools_of(FakeDesk())[tool.name]
    assert offered.args_schema == tool.input_schema()
    assert offered.get_input_jsonschema() == tool.input_schema()
    assert offered.args == tool.input_schema()["properties"]


def test_the_tools_are_those_of_the_allow_list_in_the_order_of_the_contract():
    assert list(tools_of(FakeDesk())) == [tool.name for tool in TOOLS]
    assert set(tools_of(FakeDesk())) == AGENT_VERBS


def test_read_only_leaves_out_what_can_pay():
    assert list(tools_of(FakeDesk(), read_only=True)) == [tool.name for tool in TOOLS if tool.name != "send_payment"]


def test_a_program_may_word_a_tool_otherwise():
    tool = ListPayeesTool(wallet=FakeDesk(), description="Whom you can pay.", tags=["money"])
    assert (tool.description, tool.tags) == ("Whom you can pay.", ["money"])


def test_the_wallet_stands_in_no_print_and_no_dump():
    tool = tools_of(FakeDesk(error=RuntimeError(SECRET)))["list_payees"]
    assert "wallet" not in tool.model_dump()
    assert SECRET not in repr(tool)


def test_the_tools_bring_neither_server_nor_chain_nor_agent_framework():
    script = "import sys, langchain_tools; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    unwanted = {"aiosqlite", "eth_account", "langchain", "langgraph", "mcp", "sqlcipher3", "web3"}
    assert sorted(unwanted & set(answer.stdout.split())) == []


# --------------------------------------------------------------------------------------------------------- what is said


@each_tool
async def test_an_answer_reads_as_over_mcp_and_its_artifact_is_the_structured_content(tool: Tool):
    ours, theirs = FakeDesk(), FakeDesk()
    tools = tools_of(ours)
    await tools["send_payment"].ainvoke(PAYMENT)
    answer = await tools[tool.name].ainvoke(call_of(tool.name, CALLS[tool.name]))
    async with client_of(server_of(theirs), "auto") as client:
        await client.call_tool("send_payment", PAYMENT)
        expected = await client.call_tool(tool.name, CALLS[tool.name])
    assert answer.status == "success"
    assert said(answer) == text_of(expected)
    assert told(answer) == expected.structured_content
    jsonschema.validate(told(answer), tool.output_schema())


async def test_a_denial_is_content():
    answer = await tools_of(FakeDesk())["send_payment"].ainvoke(call_of("send_payment", PAYMENT | {"to": "bob"}))
    assert answer.status == "success"
    assert told(answer)["status"] == "denied"
    assert said(answer).startswith("50.00 USDC on base to bob: denied. Nothing was paid.")


async def test_a_whole_number_as_amount_is_human_units():
    desk = FakeDesk()
    await tools_of(desk)["send_payment"].ainvoke(call_of("send_payment", {"to": "alice", "amount": 5}))
    assert desk.drafts[0].amount_units == 5_000_000


@pytest.mark.parametrize(("name", "arguments", "start"), BAD)
async def test_bad_arguments_get_the_sentence_that_mcp_gives_and_pay_nothing(
    name: str, arguments: dict[str, Any], start: str
):
    desk = FakeDesk()
    answer = await tools_of(desk)[name].ainvoke(call_of(name, arguments))
    assert isinstance(answer, ToolMessage)
    assert answer.status == "error"
    assert said(answer).startswith(start)
    assert "pydantic" not in said(answer)
    assert desk.sent == {}
    if json.loads(json.dumps(arguments)) == arguments and "\ud800" not in arguments.values():
        async with client_of(server_of(FakeDesk()), "auto") as client:
            assert text_of(await client.call_tool(name, arguments)) == said(answer)


@pytest.mark.parametrize("raw", ["alice", "", ["alice"], 7])
def test_arguments_without_names_are_refused(raw: Any):
    answer = tools_of(FakeDesk())["list_payees"].invoke(raw)
    assert answer == "INTENT_INVALID: Send the arguments by name, as one object."


def test_a_call_that_the_door_refuses_is_counted_by_the_wallet():
    desk = FakeDesk()
    tools_of(desk)["send_payment"].invoke(call_of("send_payment", {"to": "alice"}))
    assert desk.refusals == [ReasonCode.INTENT_INVALID]


def test_bad_arguments_can_be_had_as_an_exception():
    tool = SendPaymentTool(wallet=FakeDesk(), handle_tool_error=False)
    with pytest.raises(ToolException, match=r"^INTENT_INVALID: `amount` is missing: send_payment needs it\.$"):
        tool.invoke({"to": "alice"})


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "error",
    [
        CallerError(ReasonCode.CREDENTIAL_INVALID, "No agent has this key."),
        OwnerError(ReasonCode.CONFIG_UNAPPROVED, "Ask the operator."),
        OutsideError(ReasonCode.NODE_UNAVAILABLE, "The node does not answer: nothing was paid."),
    ],
)
def test_an_accident_is_one_sentence_behind_its_code(name: str, error: OwnerError):
    answer = tools_of(FakeDesk(error=error))[name].invoke(call_of(name, CALLS[name]))
    assert answer.status == "error"
    assert said(answer) == f"{error.code}: {error.message}"


@pytest.mark.parametrize("error", [RuntimeError(SECRET), InvariantBroken(SECRET), RecursionError(SECRET)])
def test_a_fault_tells_nothing_and_stands_in_the_log(error: Exception, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.ERROR):
        answer = tools_of(FakeDesk(error=error))["send_payment"].invoke(call_of("send_payment", PAYMENT))
    assert answer.status == "error"
    assert said(answer) == FAULT
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]
