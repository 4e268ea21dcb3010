"""Pay from a Python program, on play money: refunds, refusals, a person's yes, and what is left.

Needs `pip install "mcp-wallet[devnet]"`. Run it with `python python_wallet.py`; it makes its own chain and home, and
both are gone at the end.
"""

import asyncio
import os
import sys

from mcp_wallet import PolicyError, PolicyWallet, PythonPlayground, create_web3_adapter, open_playground


async def main() -> None:
    """Tell the story; an assertion fails when a step did not do what it says."""
    async with open_playground() as play:
        adapter = await create_web3_adapter(play.private_key, play.rpc_url)
        async with PolicyWallet(
            adapter,
            api_key=play.api_key,
            metadata={"agentId": "refund-processor", "environment": "dev"},
            environ=play.environ,
        ) as wallet:
            print("A refund of $50 in base units: USDC has 6 decimals, so 50 are 50000000.")
            receipt = await wallet.send(to="alice", amount="50000000", asset="usdc", reference="refund 1234")
            print(f"  {receipt.status}: {receipt.amount} {receipt.asset} to alice, {receipt.remaining} left today")
            assert (receipt.status, receipt.amount, receipt.remaining) == ("confirmed", "50.00", "49950.00")

            print("The same amount written for people, to bob.")
            receipt = await wallet.send_human(to="bob", amount="50.00", asset="usdc", reference="refund 1235")
            print(f"  {receipt.status}: {receipt.amount} {receipt.asset} to bob")
            assert receipt.status == "confirmed"

            print("The first refund again, because the program is not sure any more. One reference is paid once.")
            receipt = await wallet.send_human(to="alice", amount="50.00", reference="refund 1234")
            print(f"  {receipt.status}, replayed: {receipt.replayed}")
            assert receipt.replayed

            print("What the policy does not allow is raised, with a code.")
            for code, payment in REFUSED.items():
                error = await refusal(wallet, payment)
                print(f"  {error.code}: {error.message}")
                assert error.code == code

            print("More than $500 waits for a person; nothing leaves until then.")
            receipt = await wallet.send_human(to="alice", amount="750.00", reference="refund 1236")
            print(f"  {receipt.status}, final: {receipt.final}")
            assert (receipt.status, receipt.transaction_hash) == ("pending_approval", "")

            print("The operator says yes, on the command line; then it runs by itself.")
            await approve(play, receipt.payment_id)
            while not receipt.final:
                await asyncio.sleep(0.2)
                receipt = await wallet.get(payment_id=receipt.payment_id)
            print(f"  {receipt.status}")
            assert receipt.status == "confirmed"

            budget = await wallet.budget()
            history = await wallet.history(status="confirmed")
            print(f"Left: {budget.message}. Paid: {', '.join(f'{p.amount} to {p.recipient}' for p in history)}.")
            assert [(p.recipient, p.amount) for p in history] == [
                ("alice", "750.00"),
                ("bob", "50.00"),
                ("alice", "50.00"),
            ]

        on_chain = {who: await play.dollars(who) for who in ("wallet", "alice", "bob", "mallory")}
        print(f"The chain says: {', '.join(f'{who} {dollars}' for who, dollars in on_chain.items())}.")
        assert on_chain == {"wallet": "999150.00", "alice": "800.00", "bob": "50.00", "mallory": "0.00"}


async def approve(play: PythonPlayground, payment_id: str) -> None:
    """Do what an operator does; a real program never has the operator's token."""
    operator = {**os.environ, **play.environ, "MCP_WALLET_OPERATOR_TOKEN": play.operator_token}
    command = (sys.executable, "-m", "mcp_wallet", "approvals", "approve", payment_id)
    process = await asyncio.create_subprocess_exec(*command, env=operator, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0


async def refusal(wallet: PolicyWallet, payment: dict[str, str]) -> PolicyError:
    """Return why a payment is refused."""
    try:
        await wallet.send(**payment)
    except PolicyError as error:
        return error
    raise AssertionError("this payment was not refused")


REFUSED = {
    "AMOUNT_INVALID": {"to": "alice", "amount": "50.00"},
    "PER_TX_LIMIT_EXCEEDED": {"to": "alice", "amount": "5000000000"},
    "RECIPIENT_NOT_ALLOWED": {"to": "mallory", "amount": "50000000"},
}
"""A decimal point in base units; $5000 at once; somebody whom the policy does not list."""

if __name__ == "__main__":
    asyncio.run(main())
