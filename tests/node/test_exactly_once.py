"""Real servers, real processes, a real chain: paid once, within the limit, whatever dies."""

import asyncio
from contextlib import AsyncExitStack

from mcp_wallet.demo.stage import TAMPERED
from mcp_wallet.demo.tampering import THIEF
from mcp_wallet.devnet.client import usdc_balance
from mcp_wallet.wiring.playground import USDC_UNITS
from tests.node.stages import FIFTY_PAYMENTS, a_stage, assert_clean_trail
from tests.promises import promise

DOLLAR = 1_000_000


@promise("exactly-once")
async def test_a_server_killed_while_its_transaction_is_held_pays_once_after_a_restart(tmp_path):
    async with a_stage(tmp_path) as stage:
        async with stage.server() as server:
            stage.node.hold_next_send()
            paying = asyncio.create_task(server.call("send_payment", to="alice", amount="50.00", reference="r1"))
            await stage.node.held.wait()
            server.kill()
            await asyncio.gather(paying, return_exceptions=True)

        async with stage.server() as server:
            answer = await server.pay(to="alice", amount="50.00", reference="r1")
            budget = await server.call("check_budget")

        assert (answer["status"], answer["replayed"]) == ("confirmed", True)
        assert (budget["spent"], budget["held"]) == (["50.00"], ["0.00"])
        balances = await stage.balances()
        assert (balances["alice"], balances["wallet"]) == (50 * DOLLAR, USDC_UNITS - 50 * DOLLAR)
        assert await stage.account_nonce() == 1
        await assert_clean_trail(stage)


@promise("bytes-are-the-payment")
async def test_bytes_changed_between_the_gates_are_never_signed(tmp_path):
    async with a_stage(tmp_path) as stage:
        async with stage.server(TAMPERED) as server:
            answer = await server.pay(to="alice", amount="50.00", reference="r1")
            budget = await server.call("check_budget")

        assert (answer["status"], answer["reason_codes"]) == ("failed", ["FINGERPRINT_MISMATCH"])
        assert budget["remaining"] == ["50000.00"]
        assert await stage.account_nonce() == 0
        assert await usdc_balance(stage.chain_url, THIEF) == 0
        code, tail = await stage.run("audit", "tail")
        assert (code, b'"eventType":"gate2_rejected"' in tail) == (0, True), "the refusal stands on the trail"

        async with stage.server() as server:
            again = await server.pay(to="alice", amount="50.00", reference="r1")
        assert (again["status"], again["replayed"]) == ("confirmed", False), "a refused payment frees its reference"
        await assert_clean_trail(stage)


@promise("no-overspend")
async def test_four_processes_never_exceed_one_limit_by_a_cent(tmp_path):
    async with a_stage(tmp_path, policy=FIFTY_PAYMENTS) as stage, AsyncExitStack() as servers:
        four = [await servers.enter_async_context(stage.server()) for _ in range(4)]

        async def pay(number: int) -> tuple[str, str]:
            answer = await four[number % 4].pay(to="alice", amount="2.00", reference=f"invoice {number}")
            assert "status" in answer, answer
            return answer["status"], answer["reason_codes"][0]

        outcomes = await asyncio.gather(*(pay(number) for number in range(200)))

        assert outcomes.count(("confirmed", "OK")) == 50
        assert outcomes.count(("denied", "WINDOW_LIMIT_EXCEEDED")) == 150
        assert (await stage.balances())["alice"] == 100 * DOLLAR
        assert await stage.account_nonce() == 50
        await servers.aclose()
        await assert_clean_trail(stage)


@promise("duplicate-reference")
async def test_a_reference_is_paid_once_whoever_asks_with_whatever_key(tmp_path):
    async with a_stage(tmp_path) as stage:
        async with stage.server() as first, stage.server() as second:
            answers = await asyncio.gather(
                *(
                    server.pay(to="alice", amount="7.00", reference="invoice 7", idempotency_key=f"key-{number}")
                    for number, server in enumerate([first, second] * 4)
                )
            )
        async with stage.server() as third:
            answers.append(await third.pay(to="alice", amount="7.00", reference="invoice 7", idempotency_key="late"))
            other = await third.pay(to="alice", amount="8.00", reference="invoice 7")

        assert {answer["status"] for answer in answers} == {"confirmed"}
        assert [answer["replayed"] for answer in answers].count(False) == 1
        assert (other["status"], other["reason_codes"]) == ("denied", ["DUPLICATE_REFERENCE"])
        assert (await stage.balances())["alice"] == 7 * DOLLAR
        await assert_clean_trail(stage)


@promise("kill-switch")
async def test_no_process_pays_after_the_kill_switch_returned(tmp_path):
    async with a_stage(tmp_path) as stage, stage.server() as first, stage.server() as second:
        assert (await first.pay(to="alice", amount="1.00", reference="before"))["status"] == "confirmed"
        code, _ = await stage.operator("kill", "--all", "--reason", "test")
        assert code == 0
        for server in (first, second):
            answer = await server.pay(to="alice", amount="1.00", reference="after")
            assert (answer["status"], answer["reason_codes"][0]) == ("denied", "FROZEN")
        assert (await stage.balances())["alice"] == DOLLAR
