"""The story of the main job: what an agent asks, what the wallet answers, what the chain shows.

Each step says what must come of it before it is tried. The demo succeeds only if every outcome was the expected one and
the balances on the chain moved by exactly the decided units.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mcp_wallet.core.amount import format_amount
from mcp_wallet.demo.stage import TAMPERED, Server, Stage

STRANGER: Final = "0x9d3c4b5a6f7e8d9c0b1a2f3e4d5c6b7a89900112"
REFUND: Final = {"to": "alice", "amount": "50.00", "reference": "refund #1234"}
DOLLAR: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One step as it went: its title, what the agent or the operator did, and what came of it."""

    name: str
    did: str
    expected: str
    got: str
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether the outcome was the expected one."""
        return self.got == self.expected

    def document(self) -> dict[str, object]:
        """Return the step as `--json` prints it."""
        return {"name": self.name, "expected": self.expected, "got": self.got, "ok": self.ok}


Tell = Callable[[Told], None]


async def play(stage: Stage, tell: Tell) -> None:
    """Play the whole story; each step is told as soon as it is known."""
    before = await stage.balances()
    async with stage.server() as server:
        for told in (_refund, _too_much, _stranger, _other_asset, _same_reference):
            tell(await told(server))
    tell(await _tampered(stage))
    tell(await _crash(stage))
    async with stage.server() as server:
        for step in (_approval, _kill, _unkill):
            tell(await step(stage, server))
    tell(await _chain(stage, before))
    for step_alone in (_verify, _replay):
        tell(await step_alone(stage))


# ------------------------------------------------------------------------------------------------------ the agent asks


async def _refund(server: Server) -> Told:
    answer = await server.pay(**REFUND)
    return _told("a refund", "asks to pay 50.00 USDC to alice", "confirmed", answer)


async def _too_much(server: Server) -> Told:
    answer = await server.pay(to="alice", amount="5000.00", reference="refund #1235")
    return _told("over the limit", "asks to pay 5000.00 USDC to alice", "denied PER_TX_LIMIT_EXCEEDED", answer)


async def _stranger(server: Server) -> Told:
    answer = await server.pay(to=STRANGER, amount="50.00", reference="refund #1236")
    return _told("a stranger", "asks to pay an address that no list names", "denied RECIPIENT_NOT_ALLOWED", answer)


async def _other_asset(server: Server) -> Told:
    answer = await server.pay(to="alice", amount="0.5", asset="eth", reference="refund #1237")
    return _told("another asset", "asks to pay alice in ETH", "denied ASSET_NOT_ALLOWED", answer)


async def _same_reference(server: Server) -> Told:
    answer = await server.pay(**REFUND, idempotency_key="a-fresh-key")
    status = f"{answer.get('status')} {'replayed' if answer.get('replayed') else 'paid again'}"
    return Told(
        name="the same reference again",
        did="asks for the first refund again, with a fresh key",
        expected="confirmed replayed",
        got=status,
        said=str(answer.get("message", "")),
    )


# ------------------------------------------------------------------------------------------------- the world goes wrong


async def _tampered(stage: Stage) -> Told:
    nonce = await stage.account_nonce()
    async with stage.server(TAMPERED) as server:
        answer = await server.pay(to="bob", amount="10.00", reference="refund #1238")
    unchanged = "nothing left" if await stage.account_nonce() == nonce else "a transaction left"
    told = _told("bytes changed between the gates", "pays through a hostile transaction builder", "", answer)
    return Told(
        name=told.name,
        did=told.did,
        expected="failed FINGERPRINT_MISMATCH, nothing left",
        got=f"{told.got}, {unchanged}",
        said=told.said,
    )


async def _crash(stage: Stage) -> Told:
    sends = stage.node.sends
    stage.node.hold_next_send()
    async with stage.server() as server:
        paying = asyncio.create_task(server.call("send_payment", to="bob", amount="25.00", reference="refund #1239"))
        await stage.node.held.wait()
        server.kill()
        await asyncio.gather(paying, return_exceptions=True)
    async with stage.server() as server:
        answer = await server.pay(to="bob", amount="25.00", reference="refund #1239")
    told = _told("killed in the middle of a payment", "is killed while the chain's answer is held back", "", answer)
    again = "replayed" if answer.get("replayed") else "paid again"
    return Told(
        name=told.name,
        did=f"{told.did}, then asks again after a restart ({stage.node.sends - sends} sends of the same bytes)",
        expected="confirmed replayed",
        got=f"{answer.get('status')} {again}",
        said=told.said,
    )


# ------------------------------------------------------------------------------------------------- the operator decides


async def _approval(stage: Stage, server: Server) -> Told:
    waiting = await server.pay(to="alice", amount="600.00", reference="refund #1241")
    _, own = await stage.operator("approvals", "list")
    requests = [row["approvalId"] for row in own["payments"] if row["paymentId"] == waiting.get("payment_id")]
    code, _ = await stage.operator(
        "approvals", "approve", *requests, "--reason", "the customer called", token=stage.playground.approver_token
    )
    answer = await server.settled(waiting, "pending_approval", "submitted", "unknown") if code == 0 else waiting
    return Told(
        name="a second person approves",
        did="asks to pay 600.00 USDC to alice, which waits; nora looks at the request and approves it",
        expected="pending_approval, then confirmed",
        got=f"{waiting.get('status')}, then {answer.get('status')}",
        said=str(answer.get("message", "")),
    )


async def _kill(stage: Stage, server: Server) -> Told:
    await stage.operator("kill", "--all", "--reason", "something looks odd")
    answer = await server.pay(to="alice", amount="1.00", reference="refund #1240")
    return _told("the kill switch", "asks to pay after the operator's kill", "denied FROZEN", answer)


async def _unkill(stage: Stage, server: Server) -> Told:
    await stage.operator("unkill", "--all", "--reason", "it was a drill")
    answer = await server.pay(to="alice", amount="1.00", reference="refund #1240")
    return _told("released again", "asks again after the operator's unkill", "confirmed", answer)


# ------------------------------------------------------------------------------------------------ what can be verified


async def _chain(stage: Stage, before: dict[str, int]) -> Told:
    after = await stage.balances()
    moved = {name: after[name] - before[name] for name in after}
    return Told(
        name="what the chain shows",
        did="compares balances before and after",
        expected=_moves(wallet=-676 * DOLLAR, alice=651 * DOLLAR, bob=25 * DOLLAR, mallory=0),
        got=_moves(**moved),
    )


async def _verify(stage: Stage) -> Told:
    code, report = await stage.operator("audit", "verify", "--vkey", stage.playground.verifier_key)
    return Told(
        name="the trail verifies",
        did="checks every event against the tree, the anchors and the published key",
        expected="clean",
        got="clean" if code == 0 and report.get("ok") else f"exit {code}",
        said=f"{report.get('events', '?')} events",
    )


async def _replay(stage: Stage) -> Told:
    code, report = await stage.operator("audit", "replay")
    return Told(
        name="the trail replays",
        did="decides every decision again and compares byte for byte",
        expected="equal",
        got="equal" if code == 0 and report.get("ok") else f"exit {code}",
        said=f"{report.get('decisions', '?')} decisions",
    )


def _told(name: str, did: str, expected: str, answer: dict[str, Any]) -> Told:
    """Return a step whose outcome is the payment's status, and the expected code when it was refused."""
    codes = [str(code) for code in answer.get("reason_codes", [])]
    wanted = expected.rpartition(" ")[2]
    shown = wanted if wanted in codes else (codes[0] if codes and codes != ["OK"] else "")
    status = str(answer.get("status", answer.get("error", "no answer")))
    return Told(
        name=name,
        did=did,
        expected=expected,
        got=f"{status} {shown}".strip() if status != "confirmed" else status,
        said=str(answer.get("message", "")),
    )


def _moves(**units: int) -> str:
    """Return how everybody's test dollars moved, exactly."""
    return ", ".join(f"{name} {'+' if moved > 0 else ''}{format_amount(moved, 6)}" for name, moved in units.items())
