"""Does the door say what the desk says, and of faults nothing? In memory, in both protocol eras."""

import json
import logging

import pytest
from mcp.shared.exceptions import MCPError

from mcp_wallet.contract.desk import Desk
from mcp_wallet.contract.tools import TOOLS, parse_toolsets
from mcp_wallet.core.errors import CallerError, InvariantBroken, OutsideError, OwnerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.mcp.answers import FAULT
from mcp_wallet.doors.mcp.server import build_server
from tests.conformance.mcp_door import ERAS, client_of, json_of, server_of, text_of
from tests.fakes import FakeDesk

PAYMENT = {"to": "alice", "amount": "50.00", "reference": "refund 1234"}
CALLS = {
    "send_payment": PAYMENT,
    "simulate_payment": PAYMENT,
    "check_budget": {},
    "get_payment": {"payment_id": "pay_1"},
    "list_payments": {},
    "list_payees": {},
}
SECRET = "sk-live-0123456789"

pytestmark = pytest.mark.parametrize("era", ERAS)


async def test_the_era_is_the_one_that_was_meant(era: str):
    async with client_of(server_of(FakeDesk()), era) as client:
        assert client.protocol_version == {"legacy": "2025-11-25", "auto": "2026-07-28"}[era]


async def test_a_payment_is_structured_and_told_in_one_text(era: str):
    desk = FakeDesk()
    async with client_of(server_of(desk), era) as client:
        answer = await client.call_tool("send_payment", PAYMENT)
    (result,) = desk.sent.values()
    assert answer.is_error is False
    assert answer.structured_content == result.model_dump()
    message, _, rest = text_of(answer).partition("\n")
    assert message == result.message
    assert json.loads(rest).items() <= result.model_dump().items()


async def test_a_denial_is_a_normal_result(era: str):
    async with client_of(server_of(FakeDesk()), era) as client:
        answer = await client.call_tool("send_payment", PAYMENT | {"to": "bob"})
    assert answer.is_error is False
    assert answer.structured_content is not None
    assert answer.structured_content["status"] == "denied"
    assert text_of(answer).startswith("50.00 USDC on base to bob: denied.")


async def test_a_whole_number_as_amount_is_human_units(era: str):
    desk = FakeDesk()
    async with client_of(server_of(desk), era) as client:
        await client.call_tool("send_payment", PAYMENT | {"amount": 5})
    assert [draft.amount_units for draft in desk.drafts] == [5_000_000]


@pytest.mark.parametrize("name", CALLS)
async def test_each_tool_answers_within_its_output_schema(era: str, name: str):
    async with client_of(server_of(FakeDesk()), era) as client:
        await client.list_tools()  # from here on the client checks each answer against the schema
        await client.call_tool("send_payment", PAYMENT)
        answer = await client.call_tool(name, CALLS[name])
    assert answer.is_error is False
    assert answer.structured_content is not None


async def test_the_desk_gets_filters_as_they_were_sent(era: str):
    desk = FakeDesk()
    async with client_of(server_of(desk), era) as client:
        await client.call_tool("check_budget", {"asset": "usdc"})
        await client.call_tool("list_payments", {"limit": "5", "status": "confirmed"})
        await client.call_tool("get_payment", {"reference": "r\u0065\u0301f"})
    assert desk.asked == [
        {"asset": "usdc", "chain": ""},
        {"limit": 5, "status": "confirmed"},
        {"payment_id": "", "reference": "r\u00e9f", "idempotency_key": ""},
    ]


async def test_progress_is_told_while_a_payment_waits(era: str):
    heard: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    desk = FakeDesk()
    async with client_of(server_of(desk), era) as client:
        await client.call_tool("send_payment", PAYMENT, progress_callback=hear)
    assert heard == list(enumerate(desk.steps, start=1))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "error",
    [
        CallerError(ReasonCode.CREDENTIAL_REVOKED, "This key was revoked: ask the operator for a new one."),
        OwnerError(ReasonCode.POLICY_MISSING, "This agent is bound to no policy: ask the operator."),
        OutsideError(ReasonCode.NODE_UNAVAILABLE, "No node of base answers: try again in a minute."),
    ],
    ids=lambda error: error.code,
)
async def test_an_accident_is_a_tool_error_with_its_code(
    era: str, name: str, error: CallerError | OwnerError | OutsideError
):
    async with client_of(server_of(FakeDesk(error=error)), era) as client:
        answer = await client.call_tool(name, CALLS[name])
    assert answer.is_error
    assert text_of(answer) == f"{error.code}: {error.message}"


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", [ValueError, KeyError, OSError, InvariantBroken])
async def test_a_fault_tells_nothing_of_itself(
    era: str, name: str, kind: type[Exception], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.CRITICAL, "mcp_wallet")
    async with client_of(server_of(FakeDesk(error=kind(f"{SECRET} in /home/user"))), era) as client:
        answer = await client.call_tool(name, CALLS[name])
    assert answer.is_error
    assert text_of(answer) == FAULT


async def test_budget_and_own_payments_are_resources(era: str):
    async with client_of(server_of(FakeDesk()), era) as client:
        sent = await client.call_tool("send_payment", PAYMENT)
        read = await client.read_resource("wallet://payments/pay_1")
        budget = await client.read_resource("wallet://budget")
    assert json_of(read) == sent.structured_content
    assert json_of(budget)["remaining"] == ["950.00"]


@pytest.mark.parametrize(
    "uri",
    [
        "wallet://payments/pay_2",
        "wallet://payments/",
        "wallet://payments/../budget",
        "wallet://payments/" + "x" * 2**20,
        "wallet://operators",
        "file:///etc/passwd",
    ],
    ids=lambda uri: uri[:40],
)
async def test_an_unknown_resource_is_not_found(era: str, uri: str):
    async with client_of(server_of(FakeDesk()), era) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
    assert caught.value.error.code == -32602
    assert len(caught.value.error.model_dump_json()) < 400


async def test_a_fault_behind_a_resource_tells_nothing_of_itself(era: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.CRITICAL, "mcp_wallet")
    async with client_of(server_of(FakeDesk(error=ValueError(SECRET))), era) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource("wallet://budget")
    assert caught.value.error.message == FAULT


async def test_without_a_credential_the_tools_are_listed_and_each_call_is_refused(era: str):
    async def open_desk() -> Desk:
        raise CallerError(ReasonCode.CREDENTIAL_INVALID, "No valid agent key: set MCP_WALLET_AGENT_KEY.")

    server = build_server(open_desk, read_only=False, toolsets=parse_toolsets(""), version="1")
    async with client_of(server, era) as client:
        assert len((await client.list_tools()).tools) == len(TOOLS)
        for name, arguments in CALLS.items():
            answer = await client.call_tool(name, arguments)
            assert text_of(answer) == "CREDENTIAL_INVALID: No valid agent key: set MCP_WALLET_AGENT_KEY."


async def test_a_desk_that_could_not_be_opened_is_opened_by_a_later_call_and_then_kept(era: str):
    busy = OutsideError(ReasonCode.LEDGER_UNAVAILABLE, "The ledger is busy: try again.")
    outcomes: list[Exception | Desk] = [busy, busy, FakeDesk()]
    closed: list[bool] = []

    async def open_desk() -> Desk:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def close() -> None:
        closed.append(True)

    server = build_server(open_desk, read_only=False, toolsets=parse_toolsets(""), version="1", aclose=close)
    async with client_of(server, era) as client:
        while (await client.call_tool("list_payees", {})).is_error:
            pass
        assert outcomes == []
        assert (await client.call_tool("list_payees", {})).is_error is False
    assert closed == [True]


async def test_an_unknown_tool_is_refused_without_an_echo(era: str):
    async with client_of(server_of(FakeDesk()), era) as client:
        answer = await client.call_tool("x" * 2**20, {})
    assert text_of(answer).startswith("INTENT_INVALID: No tool is called `xxxx")
    assert len(text_of(answer)) < 300
