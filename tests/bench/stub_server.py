"""The real server on a chain that answers at once: what is left is the wallet's own time.

`python -m tests.bench.stub_server` with a playground's environment.
"""

import os
from collections.abc import Sequence

import rlp
from eth_hash.auto import keccak

from mcp_wallet import __version__
from mcp_wallet.adapters.clock import wall_clock
from mcp_wallet.contract.desk import Desk
from mcp_wallet.contract.tools import parse_toolsets
from mcp_wallet.control.environment import read_environment
from mcp_wallet.core.decision import Facts
from mcp_wallet.core.evidence import Testimony
from mcp_wallet.core.identifiers import ZERO_ADDRESS, Address, ChainId
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.outflow import Sighting
from mcp_wallet.core.settlement_gate import TRANSFER_TOPIC, Log, Receipt
from mcp_wallet.core.transaction import decode_transfer
from mcp_wallet.doors.mcp.server import build_server
from mcp_wallet.doors.mcp.stdio import run_stdio
from mcp_wallet.payments.wallet import Wallet
from mcp_wallet.ports import Chains, Sent
from mcp_wallet.wiring.opening import open_wallet


class InstantChain:
    """Implements `ports.ChainPort`: everything is mined the moment it is sent."""

    def __init__(self) -> None:
        self._receipts: dict[str, Receipt] = {}
        self._sender = ZERO_ADDRESS

    async def facts(self, draft: PaymentDraft, *, fee_cap_wei: int) -> Facts:
        """Return facts that refuse nothing."""
        self._sender = draft.sender
        return Facts(
            source="stub",
            block_time_ms=wall_clock(),
            account_nonce=None if self._receipts else 0,
            asset_balance_units=10**30,
            native_balance_wei=10**30,
            gas_limit=65_000,
            max_fee_wei=10**9,
            priority_fee_wei=10**9,
            simulation_revert="",
            recipient_code="none",
        )

    async def send(self, raw: bytes) -> Sent:
        """Mine the transaction, reading no more of it than a receipt says: a chain's work is not the wallet's."""
        fields = rlp.decode(raw[1:])
        asset, (to, units) = Address("0x" + fields[5].hex()), decode_transfer(fields[7])
        transaction_hash, topics = "0x" + keccak(raw).hex(), (TRANSFER_TOPIC, _word(self._sender), _word(to))
        self._receipts[transaction_hash] = Receipt(
            transaction_hash=transaction_hash,
            status=1,
            block_number=len(self._receipts) + 1,
            block_hash="0x" + "b1" * 32,
            sender=self._sender,
            to=asset,
            gas_used=50_000,
            effective_gas_price_wei=10**9,
            logs=(Log(address=asset, topics=topics, data=f"0x{units:064x}"),),
        )
        return Sent.ACCEPTED

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Return the receipt of what was sent."""
        return self._receipts.get(transaction_hash)

    async def testimonies(self, *, sender: Address, hashes: Sequence[str]) -> tuple[Testimony, ...]:
        """Bear witness of nothing."""
        return ()

    async def sight(self, account: Address, *, after: int | None) -> Sighting | None:
        """See nothing new."""
        return None

    async def is_final(self, receipt: Receipt, *, confirmations: int) -> bool:
        """Say yes."""
        return True

    async def confirmations(self, receipt: Receipt) -> int:
        """Return one."""
        return 1

    async def warm(self) -> None:
        """Need nothing."""

    async def close(self) -> None:
        """Hold nothing."""


def _word(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")


def main() -> None:
    """Serve the environment's home with the instant chain in place of its node."""
    environment, opened = read_environment(os.environ), list[Wallet]()

    async def open_desk() -> Desk:
        chains = Chains({ChainId("eip155:31337"): InstantChain()})
        opened.append(await open_wallet(environment, chains=chains))
        return opened[0].desk(environment.agent_key)

    async def close() -> None:
        for wallet in opened:
            await wallet.close()

    run_stdio(build_server(open_desk, read_only=False, toolsets=parse_toolsets(""), version=__version__, aclose=close))


if __name__ == "__main__":
    main()
