"""Does each bad argument get one clear sentence with its code, and nothing else happen?"""

from collections.abc import Iterator

import pytest

from mcp_wallet.contract.tools import TOOLS, Tool
from tests.conformance.mcp_door import ERAS, client_of, server_of, text_of
from tests.fakes import AGENT, FakeDesk

MIB = 2**20
FULL_WIDTH_TWELVE = "\uff11\uff12"
TOKEN = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
GOOD = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
GOOD_PAYMENT = {"to": "alice", "amount": "1.00", "reference": "r1"}

NO_TEXT: dict[str, object] = {
    "null": None,
    "boolean": True,
    "number": 7,
    "float": 1.5,
    "list": ["alice"],
    "object": {"a": 1},
}
BAD_TEXT: dict[str, object] = {
    "NUL": "al\0ice",
    "newline": "al\nice",
    "zero-width": "al\u200bice",
    "right-to-left": "al\u202eice",
    "byte order mark": "\ufeffalice",
    "line separator": "al\u2028ice",
    "lone surrogate": "al\ud800ice",
    "1 MiB": "x" * MIB,
}
BAD_AMOUNTS: dict[str, object] = {
    "null": None,
    "boolean": True,
    "float": 12.5,
    "whole float": 12.0,
    "float beyond integers": 1e30,
    "list": ["1"],
    "object": {"value": "1"},
    "empty": "",
    "exponent": "1e3",
    "negative text": "-1",
    "negative number": -1,
    "plus": "+1",
    "zero": "0",
    "zero with places": "0.000000",
    "zero number": 0,
    "2^256 base units": str(2**256 // 10**6 + 1),
    "2^256": 2**256,
    "2^256 as text": str(2**256),
    "too many places": "1.0000001",
    "full-width digits": FULL_WIDTH_TWELVE,
    "full-width place": "0.\uff11",
    "Arabic digit": "\u0661",
    "comma": "1,50",
    "thousands": "1,000.00",
    "space": " 1",
    "newline": "1\n",
    "symbol": "$5",
    "unit": "5 USDC",
    "hexadecimal": "0x10",
    "not a number": "NaN",
    "infinity": "Infinity",
    "leading zero": "01",
    "no whole part": ".5",
    "no places": "5.",
    "NUL": "1\0",
    "zero-width": "1\u200b0",
    "right-to-left": "\u202e01",
    "lone surrogate": "1\ud800",
    "1 MiB": "9" * MIB,
    "1 MiB of places": "1." + "0" * MIB,
}
BAD_RECIPIENTS = {
    "empty": ("", "RECIPIENT_INVALID"),
    "unknown payee": ("carol", "RECIPIENT_UNKNOWN"),
    "upper case": ("Alice", "RECIPIENT_INVALID"),
    "Cyrillic": ("\u0430lice", "RECIPIENT_INVALID"),
    "full-width": ("\uff41lice", "RECIPIENT_INVALID"),
    "wrong checksum": (GOOD.replace("d8dA", "D8dA"), "RECIPIENT_INVALID"),
    "too short": (GOOD[:-1], "RECIPIENT_INVALID"),
    "too long": (GOOD + "0", "RECIPIENT_INVALID"),
    "zero": ("0x" + "0" * 40, "RECIPIENT_INVALID"),
    "precompile": ("0x" + "0" * 39 + "1", "RECIPIENT_INVALID"),
    "own address": (AGENT.sender, "RECIPIENT_INVALID"),
    "token": (TOKEN, "RECIPIENT_INVALID"),
    "other chain's account": ("eip155:1:" + GOOD, "RECIPIENT_INVALID"),
    "other namespace": ("solana:mainnet:" + GOOD, "RECIPIENT_INVALID"),
    "name service": ("vitalik.eth", "RECIPIENT_INVALID"),
    "1 MiB of colons": (":" * MIB, "RECIPIENT_INVALID"),
}


def payment_cases() -> Iterator[tuple[str, dict[str, object], str]]:
    """Yield what it is, the arguments, and the code that must come back."""
    for label, value in BAD_AMOUNTS.items():
        yield f"amount {label}", {"amount": value}, "AMOUNT_INVALID"
    for label, (text, code) in BAD_RECIPIENTS.items():
        yield f"to {label}", {"to": text}, code
    codes = {"to": "RECIPIENT_INVALID", "asset": "ASSET_UNKNOWN", "chain": "CHAIN_UNKNOWN"}
    for field in ("to", "asset", "chain", "reference", "memo", "idempotency_key"):
        wrong_type = "RECIPIENT_INVALID" if field == "to" else "INTENT_INVALID"
        for label, value in NO_TEXT.items():
            yield f"{field} {label}", {field: value}, wrong_type
        for label, value in BAD_TEXT.items():
            yield f"{field} {label}", {field: value}, codes.get(field, "INTENT_INVALID")
    yield "asset of another chain", {"asset": "pol"}, "ASSET_UNKNOWN"
    yield "chain of nobody", {"chain": "solana"}, "CHAIN_UNKNOWN"
    yield "reference too long", {"reference": "x" * 129}, "INTENT_INVALID"
    yield "memo too long", {"memo": "x" * 257}, "INTENT_INVALID"
    yield "key too long", {"idempotency_key": "x" * 65}, "INTENT_INVALID"
    yield "key with a space", {"idempotency_key": "a b"}, "INTENT_INVALID"
    for name in ("force", "approved", "Amount", "amount ", "amount_units", "memo\u200b", "x" * MIB, "\ud800"):
        yield f"unknown {name[:12]!a}", {name: True}, "INTENT_INVALID"


def reading_cases() -> Iterator[tuple[str, str, dict[str, object]]]:
    """Yield the tool, what it is, and the arguments; all are INTENT_INVALID."""
    fields = {"check_budget": ("asset", "chain"), "get_payment": ("payment_id", "reference", "idempotency_key")}
    fields["list_payments"] = ("status",)
    for tool, names in fields.items():
        for field in names:
            for label, value in (NO_TEXT | BAD_TEXT).items():
                yield tool, f"{field} {label}", {field: value}
    for label, value in (NO_TEXT | BAD_TEXT).items():
        if label != "number":
            yield "list_payments", f"limit {label}", {"limit": value}
    for limit in (0, -1, 101, 2**256, "0", "-1", "1e1", "", FULL_WIDTH_TWELVE, " 5"):
        yield "list_payments", f"limit {limit!a:.12}", {"limit": limit}
    yield "list_payments", "status of nothing", {"status": "paid"}
    yield "get_payment", "none of the three", {}
    yield "get_payment", "two of the three", {"payment_id": "pay_1", "reference": "r"}
    yield "get_payment", "a path as id", {"payment_id": "../pay_1"}
    yield "list_payees", "unknown field", {"all": True}
    yield "check_budget", "unknown field", {"agent": "somebody-else"}


def is_one_sentence(text: str, code: str) -> None:
    assert text.startswith(f"{code}: ")
    assert text.endswith(".")
    assert text.isprintable()
    assert len(text) <= 420
    assert "x" * 81 not in text
    assert "9" * 81 not in text
    for stranger in ("pydantic", "validation error", "Traceback", "Error executing", "input_value", ".py"):
        assert stranger not in text


PAYMENT_CASES = list(payment_cases())
READING_CASES = list(reading_cases())


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("label", "change", "code"), PAYMENT_CASES, ids=[case[0] for case in PAYMENT_CASES])
async def test_a_bad_argument_of_a_payment_is_refused_by_name(
    era: str, label: str, change: dict[str, object], code: str
):
    desk = FakeDesk()
    async with client_of(server_of(desk), era) as client:
        answer = await client.call_tool("send_payment", GOOD_PAYMENT | change)
    assert answer.is_error
    is_one_sentence(text_of(answer), code)
    assert desk.drafts == []


async def test_a_simulation_refuses_the_same_arguments_in_one_session():
    desk = FakeDesk()
    async with client_of(server_of(desk), "legacy") as client:
        for _, change, code in PAYMENT_CASES:
            is_one_sentence(text_of(await client.call_tool("simulate_payment", GOOD_PAYMENT | change)), code)
        assert (await client.call_tool("simulate_payment", GOOD_PAYMENT)).is_error is False
    assert len(desk.drafts) == 1


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("tool", "label", "arguments"), READING_CASES, ids=[f"{case[0]} {case[1]}" for case in READING_CASES]
)
async def test_a_bad_argument_of_a_question_is_refused_by_name(
    era: str, tool: str, label: str, arguments: dict[str, object]
):
    desk = FakeDesk()
    async with client_of(server_of(desk), era) as client:
        answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    is_one_sentence(text_of(answer), "INTENT_INVALID")
    assert desk.asked == []


@pytest.mark.parametrize("missing", ["to", "amount"])
async def test_a_missing_argument_is_named(missing: str):
    async with client_of(server_of(FakeDesk()), "legacy") as client:
        answer = await client.call_tool("send_payment", {k: v for k, v in GOOD_PAYMENT.items() if k != missing})
    assert text_of(answer) == f"INTENT_INVALID: `{missing}` is missing: send_payment needs it."


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
async def test_an_unknown_argument_is_named_with_those_that_exist(tool: Tool):
    name, known = tool.name, [argument.name for argument in tool.arguments]
    async with client_of(server_of(FakeDesk()), "legacy") as client:
        answer = await client.call_tool(name, {"force": True})
    expected = f"takes {', '.join(known)}." if known else "takes no arguments."
    assert text_of(answer) == f"INTENT_INVALID: `force` is not an argument of {name}, which {expected}"
