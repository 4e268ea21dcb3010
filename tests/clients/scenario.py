"""The one scenario that every client must play: list, budget, pay, repeat, refuse, ask a person, err, status.

What is asserted stands here once; a client only has to carry calls and answers.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mcp_wallet.contract.tools import TOOLS

PAYMENT: dict[str, Any] = {"to": "alice", "amount": "50.00", "reference": "refund 1234"}
REFUSED = (
    ({"to": "mallory", "amount": "1.00"}, "RECIPIENT_NOT_ALLOWED"),
    ({"to": "alice", "amount": "1000.01"}, "PER_TX_LIMIT_EXCEEDED"),
)
WRONG = (
    (PAYMENT | {"amount": 1.5}, "AMOUNT_INVALID"),
    (PAYMENT | {"amount": "1.0000001"}, "AMOUNT_INVALID"),
    (PAYMENT | {"approved": True}, "INTENT_INVALID"),
)
POLLS_MAX = 600


@dataclass(frozen=True)
class Answer:
    """What a client's caller gets from one call: of structured clients the fields, of all of them the text."""

    error: bool
    structured: Mapping[str, Any] | None
    text: str


class Caller(Protocol):
    """A client with a connection to a wallet's server."""

    era: str
    """The protocol revision that it says it speaks; empty when it does not say."""

    async def tools(self) -> list[str]: ...

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer: ...


async def play(client: Caller, *, in_full: bool = True) -> None:
    """Play the scenario on a new playground; the first thing that is not so fails.

    Args:
        in_full: Also what a client that starts a server for each call would be long about.
    """
    assert await client.tools() == [tool.name for tool in TOOLS]
    assert (await told(client, "list_payees"))["payees"] == ["alice", "bob"]
    assert (await told(client, "check_budget"))["remaining"] == ["50000.00"]
    paid = await pay(client)
    await repeat(client, paid)
    for arguments, code in REFUSED if in_full else REFUSED[:1]:
        await refuse(client, arguments, code)
    for arguments, code in WRONG if in_full else WRONG[:1]:
        await err(client, arguments, code)
    if in_full:
        await ask_a_person(client)
        await look_back(client)


async def pay(client: Caller) -> Mapping[str, Any]:
    """A payment is allowed, and final after a while: its status says so."""
    sent = await told(client, "send_payment", **PAYMENT)
    assert (sent["decision"], sent["reason_codes"], sent["replayed"]) == ("ALLOW", ["OK"], False)
    assert (sent["amount"], sent["asset"], sent["chain"]) == ("50.00", "usdc", "local")
    for _ in range(POLLS_MAX):
        found = await told(client, "get_payment", payment_id=sent["payment_id"])
        if found["final"]:
            assert (found["status"], found["remaining"]) == ("confirmed", "49950.00")
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("the payment was never final")


async def repeat(client: Caller, paid: Mapping[str, Any]) -> None:
    """The same call again pays nothing and gives the same payment."""
    again = await told(client, "send_payment", **PAYMENT)
    assert (again["replayed"], again["status"]) == (True, "confirmed")
    assert (again["payment_id"], again["transaction_hash"]) == (paid["payment_id"], paid["transaction_hash"])


async def refuse(client: Caller, arguments: Mapping[str, Any], code: str) -> None:
    """A denial is a normal answer with its code, in the fields and in the text."""
    answer = await client.call("send_payment", arguments)
    assert not answer.error
    assert code in answer.text
    assert answer.structured is not None
    assert answer.structured["status"] == "denied"
    assert code in answer.structured["reason_codes"]


async def err(client: Caller, arguments: Mapping[str, Any], code: str) -> None:
    """What is no payment at all is a tool error whose text says what to send, and the connection lives on."""
    answer = await client.call("send_payment", arguments)
    assert answer.error, answer
    assert f"{code}: " in answer.text


async def ask_a_person(client: Caller) -> None:
    """More than the policy lets pass alone waits for a person; no client has to know of questions for that."""
    asked = await told(client, "send_payment", to="bob", amount="500.01", reference="large")
    assert (asked["status"], asked["final"]) == ("pending_approval", False)


async def look_back(client: Caller) -> None:
    """The client's own payments are listed, and what was paid is spent."""
    listed = await told(client, "list_payments", limit=10)
    assert listed["statuses"] == ["pending_approval", "denied", "denied", "confirmed"]
    assert listed["references"][-1] == PAYMENT["reference"]
    assert (await told(client, "check_budget"))["spent"] == ["50.00"]


async def told(client: Caller, tool: str, **arguments: object) -> Mapping[str, Any]:
    """Return the fields of an answer that is no error."""
    answer = await client.call(tool, arguments)
    assert not answer.error, answer.text
    assert answer.structured is not None, answer
    return answer.structured
