"""A Python program that dies, gives up or runs twice pays once: real processes, a real chain."""

import asyncio
import os
import sys
from pathlib import Path

from mcp_wallet import PaymentResult, PolicyError, PolicyWallet
from mcp_wallet.demo.stage import Stage
from tests.node.stages import FIFTY_PAYMENTS, a_stage, assert_clean_trail
from tests.promises import promise

DOLLAR = 1_000_000
ROOT = Path(__file__).parents[2]
PROGRAM = """
import asyncio
from mcp_wallet import PolicyWallet

asyncio.run(PolicyWallet().send_human(to="alice", amount="50.00", reference="r1"))
"""


async def settled(wallet: PolicyWallet, reference: str) -> PaymentResult:
    """Return the payment once the wallet knows its end."""
    while True:
        found = await wallet.get(reference=reference)
        if found.status not in ("submitted", "unknown"):
            return found
        await asyncio.sleep(0.05)


async def program(stage: Stage, script: str = PROGRAM) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script),
        env={**os.environ, **stage.playground.environ, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


@promise("exactly-once")
async def test_a_program_killed_while_its_transaction_is_held_pays_once_after_a_restart(tmp_path: Path):
    async with a_stage(tmp_path) as stage:
        stage.node.hold_next_send()
        process = await program(stage)
        await stage.node.held.wait()
        process.kill()
        await process.wait()

        async with PolicyWallet(environ=stage.playground.environ) as wallet:
            again = await wallet.send_human(to="alice", amount="50.00", reference="r1")
            paid = await settled(wallet, "r1")
        assert (again.replayed, paid.status, paid.payment_id) == (True, "confirmed", again.payment_id)
        assert (await stage.balances())["alice"] == 50 * DOLLAR
        assert await stage.account_nonce() == 1
        await assert_clean_trail(stage)


@promise("exactly-once")
async def test_a_caller_that_gives_up_waiting_has_paid_once_all_the_same(tmp_path: Path):
    async with a_stage(tmp_path) as stage, PolicyWallet(environ=stage.playground.environ) as wallet:
        stage.node.hold_next_send()
        paying = asyncio.create_task(wallet.send_human(to="bob", amount="25.00", reference="r2"))
        await stage.node.held.wait()
        paying.cancel()
        await asyncio.gather(paying, return_exceptions=True)
        again = await wallet.send_human(to="bob", amount="25.00", reference="r2")
        paid = await settled(wallet, "r2")
        assert paying.cancelled()
        assert (again.replayed, paid.status) == (True, "confirmed")
        assert (await stage.balances())["bob"] == 25 * DOLLAR
        assert await stage.account_nonce() == 1


@promise("no-overspend")
async def test_programs_that_pay_at_once_share_one_budget(tmp_path: Path):
    """A day's budget for fifty payments; two processes and this one ask for sixty."""
    script = PROGRAM.replace(
        'asyncio.run(PolicyWallet().send_human(to="alice", amount="50.00", reference="r1"))',
        "import os\n"
        "async def main():\n"
        "    async with PolicyWallet() as wallet:\n"
        "        sends = (wallet.send_human(to='alice', amount='2.00', reference=f'{os.getpid()} {n}')\n"
        "            for n in range(20))\n"
        "        await asyncio.gather(*sends, return_exceptions=True)\n"
        "asyncio.run(main())\n",
    )
    async with a_stage(tmp_path, policy=FIFTY_PAYMENTS) as stage:
        others = [await program(stage, script) for _ in range(2)]
        async with PolicyWallet(environ=stage.playground.environ) as wallet:
            sends = (wallet.send_human(to="bob", amount="2.00", reference=f"here {n}") for n in range(20))
            outcomes = await asyncio.gather(*sends, return_exceptions=True)
            codes = [await other.wait() for other in others]
            (entry,) = (await wallet.budget()).entries
            under_way = [row.reference for row in await wallet.history(limit=100, status="submitted")]
            for reference in under_way:
                await settled(wallet, reference)
        refused = {str(outcome.code) for outcome in outcomes if isinstance(outcome, PolicyError)}
        balances = await stage.balances()
        assert codes == [0, 0]
        assert entry.remaining == "0.00"
        assert balances["alice"] + balances["bob"] == 100 * DOLLAR
        assert refused <= {"WINDOW_LIMIT_EXCEEDED"}
        assert all(isinstance(outcome, PaymentResult | PolicyError) for outcome in outcomes)
        await assert_clean_trail(stage)
