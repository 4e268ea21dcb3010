"""`PolicyWallet`: pay from a Python program, through the same gates and onto the same trail as over MCP."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from mcp_wallet.contract.desk import CLAIM_NAMES, Desk
from mcp_wallet.contract.results import PaymentResult
from mcp_wallet.control.environment import read_agent_environment
from mcp_wallet.core.intent import PaymentRequest
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.python.answers import Budget, HistoryEntry, budget_of, history_of
from mcp_wallet.doors.python.desk import ThreadedDesk
from mcp_wallet.doors.python.errors import PolicyError, accidents_told, paid_or_under_way

if TYPE_CHECKING:
    from mcp_wallet.payments.wallet import Wallet
    from mcp_wallet.wiring.adapter import Web3Adapter


async def create_web3_adapter(private_key: str, rpc_url: str) -> "Web3Adapter":
    """Return a key and a node for a `PolicyWallet`; the key stays in this process.

    Args:
        private_key: 64 hex digits, with or without `0x`: the key of the home's account.
        rpc_url: A node that the home's settings approve.

    Raises:
        PolicyError: `SIGNER_UNAVAILABLE` when the key is none, `NODE_UNAVAILABLE` when the node does not answer,
            `INTENT_INVALID` when its address is none.
    """
    from mcp_wallet.wiring.adapter import make_adapter  # noqa: PLC0415  a program may never open a wallet

    with accidents_told():
        return await make_adapter(private_key, rpc_url)


class PolicyWallet:
    """One agent's wallet.

    Any loop and any thread may call it. The first call opens it; `close` or the program's end closes it.

    Args:
        adapter: From `create_web3_adapter`: it signs, and must fit the home. Left out, the home's own keystore signs.
        api_key: The agent's key; `MCP_WALLET_AGENT_KEY` of the environment when it is left out.
        metadata: What this program says of itself, any of `orgId`, `agentId`, `environment`: each call is refused
            when the key says otherwise.
        environ: The `MCP_WALLET_…` names that say where the home is; this process's environment when left out.

    Raises:
        PolicyError: `INTENT_INVALID` for metadata of another name, or that is no text.
    """

    def __init__(
        self,
        adapter: "Web3Adapter | None" = None,
        *,
        api_key: str = "",
        metadata: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Open nothing yet."""
        self._adapter, self._api_key, self._environ = adapter, api_key, environ
        self._claims = _parse_metadata(metadata or {})
        self._wallet: Wallet | None = None
        self._desk = ThreadedDesk(self._open, self._close)

    async def __aenter__(self) -> Self:
        """Open the wallet; `PolicyError` says at once what stands against it."""
        try:
            with accidents_told():
                await self._desk.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the wallet."""
        await self.close()

    @property
    def desk(self) -> Desk:
        """The wallet as doors take it, such as `langchain_tools.WalletToolkit`."""
        return self._desk

    async def send(
        self,
        *,
        to: str,
        amount: str,
        asset: str = "usdc",
        chain: str = "",
        reference: str = "",
        memo: str = "",
        idempotency_key: str = "",
    ) -> PaymentResult:
        """Pay an amount in base units, and return within about 10 s.

        Args:
            to: A payee's name, or an address.
            amount: Digits alone: "50000000" are 50 USDC; a decimal point is refused.
            asset: A symbol or CAIP-19 id.
            chain: A short name or CAIP-2 id; may be left out when the agent pays on one chain.
            reference: What is being paid. One reference is paid once, ever: send it again after any doubt.
            memo: A note for the operator.
            idempotency_key: Same key, same payment.

        Returns:
            The payment: `confirmed` is paid; `submitted` and `unknown` may be paid (ask `get`, never pay again);
            `pending_approval` waits for a person.

        Raises:
            PolicyError: Nothing was paid, and `code` says why; with `retryable`, or in doubt, repeat the same call
                with the same `reference`.
        """
        return await self._pay(
            PaymentRequest(
                to=to,
                amount=amount,
                asset=asset,
                chain=chain,
                reference=reference,
                memo=memo,
                idempotency_key=idempotency_key,
                amount_is_units=True,
            )
        )

    async def send_human(
        self,
        *,
        to: str,
        amount: str,
        asset: str = "usdc",
        chain: str = "",
        reference: str = "",
        memo: str = "",
        idempotency_key: str = "",
    ) -> PaymentResult:
        """Pay an amount in whole units of the asset, as decimal text: "50.00"; everything else as `send`."""
        return await self._pay(
            PaymentRequest(
                to=to,
                amount=amount,
                asset=asset,
                chain=chain,
                reference=reference,
                memo=memo,
                idempotency_key=idempotency_key,
            )
        )

    async def simulate(self, *, to: str, amount: str, asset: str = "usdc", chain: str = "") -> PaymentResult:
        """Return the decision that `send_human` would get now; nothing is reserved, and a refusal is not raised."""
        with accidents_told():
            return await self._desk.simulate_payment(PaymentRequest(to=to, amount=amount, asset=asset, chain=chain))

    async def budget(self, *, asset: str = "", chain: str = "") -> Budget:
        """Return what may still be spent, as far as the policy discloses it; of one asset or chain when named."""
        with accidents_told():
            return budget_of(await self._desk.check_budget(asset=asset, chain=chain))

    async def history(self, *, limit: int = 20, status: str = "") -> tuple[HistoryEntry, ...]:
        """Return the agent's payments, newest first: 1 to 100, of one status when it is named."""
        with accidents_told():
            return history_of(await self._desk.list_payments(limit=limit, status=status))

    async def get(self, *, payment_id: str = "", reference: str = "", idempotency_key: str = "") -> PaymentResult:
        """Return one of the agent's payments by exactly one of its names, whatever became of it.

        Raises:
            PolicyError: `PAYMENT_UNKNOWN` when the agent has none such.
        """
        with accidents_told():
            return await self._desk.get_payment(
                payment_id=payment_id, reference=reference, idempotency_key=idempotency_key
            )

    async def payees(self) -> tuple[str, ...]:
        """Return the names that the agent's policy can pay."""
        with accidents_told():
            return tuple((await self._desk.list_payees()).payees)

    async def close(self) -> None:
        """Close the wallet for good; payments under way are durable and end with the home's next start."""
        await self._desk.aclose()

    # -- parts -----------------------------------------------------------------------------------------------

    async def _pay(self, request: PaymentRequest) -> PaymentResult:
        with accidents_told():
            return paid_or_under_way(await self._desk.send_payment(request))

    async def _open(self) -> Desk:
        """Open the home on the wallet's own loop; key and claims are looked at before anybody is let in."""
        from mcp_wallet.wiring.adapter import open_with_adapter  # noqa: PLC0415  a program may never open a wallet
        from mcp_wallet.wiring.opening import open_wallet  # noqa: PLC0415

        environment = read_agent_environment(os.environ if self._environ is None else self._environ)
        adapter = self._adapter
        wallet = await (open_wallet(environment) if adapter is None else open_with_adapter(environment, adapter))
        desk = wallet.desk(self._api_key or environment.agent_key, claims=self._claims)
        try:
            await desk.check_credential()
        except BaseException:
            await wallet.close()
            raise
        self._wallet = wallet
        return desk

    async def _close(self) -> None:
        if self._wallet is not None:
            await self._wallet.close()


def _parse_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    wrong = [name for name, text in metadata.items() if name not in CLAIM_NAMES or not isinstance(text, str)]
    if wrong:
        sentence = f"`metadata` takes {', '.join(CLAIM_NAMES)}, each as text; `{str(wrong[0])[:40]}` is none of them."
        raise PolicyError(ReasonCode.INTENT_INVALID, sentence)
    return dict(metadata)
