"""A playground for Python programs: the real wallet on play money, gone at the end."""

import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.python.errors import accidents_told

if TYPE_CHECKING:
    from mcp_wallet.wiring.playground import Playground


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPlayground:
    """A development chain, and a home on it: everything that a `PolicyWallet` needs.

    Args:
        private_key: The account's key; play money alone depends on it.
        rpc_url: The development chain.
        api_key: The agent's key.
        metadata: What that key says of its agent.
        environ: The names that say where the home is, for a `PolicyWallet` or a child process.
        operator_token: The owner's token, for `MCP_WALLET_OPERATOR_TOKEN` of operator commands.
        verifier_key: What `audit verify --vkey` takes.
    """

    private_key: str = field(repr=False)
    rpc_url: str
    api_key: str = field(repr=False)
    metadata: Mapping[str, str]
    environ: Mapping[str, str] = field(repr=False)
    operator_token: str = field(repr=False)
    verifier_key: str
    _addresses: Mapping[str, str] = field(repr=False)

    async def dollars(self, who: str) -> str:
        """Return what the chain says that somebody has: `wallet`, `alice`, `bob` or `mallory`; test dollars, "50.00".

        Raises:
            PolicyError: `RECIPIENT_UNKNOWN` for anybody else, `NODE_UNAVAILABLE` when the chain does not answer.
        """
        from mcp_wallet.devnet.client import usdc_balance  # noqa: PLC0415  the chain is an extra

        with accidents_told():
            if who not in self._addresses:
                known = ", ".join(self._addresses)
                raise CallerError(ReasonCode.RECIPIENT_UNKNOWN, f"Nobody is called `{who[:40]}` here: ask for {known}.")
            return format_amount(await usdc_balance(self.rpc_url, self._addresses[who]), 6)


@asynccontextmanager
async def open_playground(*, policy: str | None = None) -> AsyncIterator[PythonPlayground]:
    """Give a playground: 1,000,000 test dollars, and an agent that may refund `alice` and `bob`.

    Up to 1000.00 USDC a payment, above 500.00 with a person's approval, 50000.00 a day; `mallory` stands in the address
    book and may not be paid.

    Args:
        policy: Text of another policy, YAML or JSON; it may name the chain `local` and the three payees.

    Raises:
        PolicyError: The `devnet` extra is missing, the chain does not start, or the policy does not load.
    """
    from mcp_wallet.devnet.client import start_devnet  # noqa: PLC0415  the chain is an extra
    from mcp_wallet.wiring.playground import POLICY, make_playground  # noqa: PLC0415  a program may never play

    with accidents_told():
        chain = await start_devnet()
    async with chain:
        with tempfile.TemporaryDirectory(prefix="mcp-wallet-play-") as folder:
            secret = secrets.token_bytes(32)
            with accidents_told():
                made = await make_playground(Path(folder), node=chain.url, policy=policy or POLICY, secret=secret)
            yield _shown(made, secret)


def _shown(made: "Playground", secret: bytes) -> PythonPlayground:
    from mcp_wallet.wiring.playground import AGENT, ENVIRONMENT, PAYEES  # noqa: PLC0415  as above

    return PythonPlayground(
        private_key="0x" + secret.hex(),
        rpc_url=made.node,
        api_key=made.agent_key,
        metadata={"orgId": made.org_id, "agentId": AGENT, "environment": ENVIRONMENT},
        environ=made.environ,
        operator_token=made.operator_token,
        verifier_key=made.verifier_key,
        _addresses={"wallet": made.address, **{payee.name: payee.address for payee in PAYEES}},
    )
