"""Do the tools stay what clients know? `python -m tests.conformance.test_mcp_schemas` writes the snapshots anew."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from mcp_wallet.contract.results import PayeeList
from mcp_wallet.contract.tools import AGENT_VERBS, TOOLS, Tool, parse_toolsets
from mcp_wallet.core.errors import CallerError, InvariantBroken
from mcp_wallet.doors.mcp import server as door
from mcp_wallet.doors.mcp.instructions import instructions_for
from mcp_wallet.doors.mcp.verbs import VERBS
from tests.conformance.mcp_door import ERAS, client_of, server_of, text_of
from tests.fakes import FakeDesk

SNAPSHOTS = Path(__file__).parent / "snapshots"
NESTING = {"$defs", "$ref", "anyOf", "oneOf", "allOf", "definitions", "not", "if"}
HINTS = {
    "send_payment": (False, True, False, True),
    "check_budget": (True, False, True, False),
    "simulate_payment": (True, False, True, False),
    "get_payment": (True, False, True, False),
    "list_payments": (True, False, True, False),
    "list_payees": (True, False, True, False),
}
SIGNATURES = {
    "send_payment": {"to": None, "amount": None, "asset": "usdc", "chain": "", "reference": "", "memo": ""}
    | {"idempotency_key": ""},
    "check_budget": {"asset": "", "chain": ""},
    "get_payment": {"payment_id": "", "reference": "", "idempotency_key": ""},
    "list_payments": {"limit": 20, "status": ""},
    "list_payees": {},
}


def snapshot_of(tool: Tool) -> str:
    listed = door._listed(tool).model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


def keys_in(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, part in schema.items():
            yield key
            yield from keys_in(part)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_is_what_its_snapshot_says(tool: Tool):
    assert snapshot_of(tool) == (SNAPSHOTS / f"{tool.name}.json").read_text("utf-8")


def test_there_is_no_snapshot_of_a_tool_that_is_gone():
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == AGENT_VERBS


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_schemas_are_flat_and_valid(tool: Tool):
    for schema in (tool.input_schema(), tool.output_schema()):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert NESTING.isdisjoint(keys_in(schema))
        assert schema["additionalProperties"] is False
        properties = schema["properties"]
        assert isinstance(properties, dict)
        for part in properties.values():
            assert part["type"] in {"string", "boolean", "integer", "array"}
            assert part.get("items", {"type": "string"}) == {"type": "string"}
            assert part["description"]
            assert "title" not in part


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_arguments_are_those_of_the_contract(tool: Tool):
    expected = SIGNATURES.get(tool.name, SIGNATURES["send_payment"])
    assert {argument.name: argument.default for argument in tool.arguments} == expected


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_description_is_short_enough_to_be_read(tool: Tool):
    assert len(tool.description) <= 800
    assert all(len(argument.text) <= 200 for argument in tool.arguments)


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_sees_the_tools_in_their_order_with_all_four_hints(era: str):
    async with client_of(server_of(FakeDesk()), era) as client:
        tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == [tool.name for tool in TOOLS]
    for tool in tools:
        assert tool.annotations is not None
        hints = tool.annotations
        said = (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
        assert said == HINTS[tool.name]


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_sees_version_and_instructions(era: str):
    async with client_of(server_of(FakeDesk()), era) as client:
        assert client.server_info is not None
        assert client.server_info.version == "9.8.7"
        assert client.instructions == instructions_for(TOOLS)


async def test_lists_may_be_kept_for_a_while_by_this_client_alone():
    async with client_of(server_of(FakeDesk()), "auto") as client:
        listed = await client.list_tools()
    assert (listed.ttl_ms, listed.cache_scope) == (door.LISTS_FRESH_MS, "private")


@pytest.mark.parametrize("era", ERAS)
async def test_read_only_leaves_out_what_can_pay_and_does_not_call_it(era: str):
    desk = FakeDesk()
    async with client_of(server_of(desk, read_only=True), era) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        answer = await client.call_tool("send_payment", {"to": "alice", "amount": "1.00"})
        assert (await client.call_tool("simulate_payment", {"to": "alice", "amount": "1.00"})).is_error is False
    assert names == [tool.name for tool in TOOLS if tool.name != "send_payment"]
    assert answer.is_error
    assert text_of(answer).startswith("INTENT_INVALID: No tool is called `send_payment` here")
    assert desk.sent == {}


@pytest.mark.parametrize(
    ("toolsets", "names", "resources", "templates"),
    [
        ("budget", ["check_budget"], ["wallet://budget"], []),
        ("payees", ["list_payees"], [], []),
        (
            "payments",
            ["send_payment", "simulate_payment", "get_payment", "list_payments"],
            [],
            ["wallet://payments/{payment_id}"],
        ),
        ("budget, payees", ["check_budget", "list_payees"], ["wallet://budget"], []),
    ],
)
async def test_a_toolset_restricts_tools_and_resources(
    toolsets: str, names: list[str], resources: list[str], templates: list[str]
):
    async with client_of(server_of(FakeDesk(), toolsets=toolsets), "legacy") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == names
        assert [str(found.uri) for found in (await client.list_resources()).resources] == resources
        listed = (await client.list_resource_templates()).resource_templates
        assert [found.uri_template for found in listed] == templates
        for stranger in AGENT_VERBS - set(names):
            assert (await client.call_tool(stranger, {})).is_error


def test_an_unknown_toolset_is_named_with_the_known_ones():
    with pytest.raises(CallerError, match="No toolset is called `operators`: send some of payments, budget, payees"):
        parse_toolsets("budget,operators")


def test_every_reachable_verb_stands_on_the_allow_list():
    assert door.reachable_verbs(server_of(FakeDesk())) == AGENT_VERBS


def test_a_door_that_offers_another_verb_refuses_to_start(monkeypatch: pytest.MonkeyPatch):
    kill = Tool(
        name="kill",
        title="Kill",
        description="Not for agents.",
        arguments=(),
        result=PayeeList,
        toolset="payees",
        read_only=True,
        destructive=False,
        idempotent=True,
        open_world=False,
    )
    monkeypatch.setattr("mcp_wallet.contract.tools.TOOLS", (*TOOLS, kill))
    with pytest.raises(InvariantBroken, match="differ in kill"):
        server_of(FakeDesk())


def test_a_door_that_has_a_verb_too_many_or_too_few_refuses_to_start(monkeypatch: pytest.MonkeyPatch):
    fewer = {name: verb for name, verb in VERBS.items() if name != "list_payees"}
    monkeypatch.setattr("mcp_wallet.doors.mcp.server.VERBS", fewer)
    with pytest.raises(InvariantBroken, match="differ in list_payees"):
        server_of(FakeDesk())


if __name__ == "__main__":
    for one in TOOLS:
        (SNAPSHOTS / f"{one.name}.json").write_text(snapshot_of(one), "utf-8")
