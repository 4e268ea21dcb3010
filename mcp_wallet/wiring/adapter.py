"""A key and a node that a program brings along, and how they meet a home.

The home stays the authority. The key signs for it and must be of its account. The node must be one that the home's
settings approve: where balances, fees and receipts come from bears on money, and no argument of a program sets that.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.control.environment import ProcessEnvironment
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.identifiers import ChainId, checksum_address
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Chain
from mcp_wallet.core.settings import Settings
from mcp_wallet.payments.wallet import Wallet
from mcp_wallet.ports import Signer
from mcp_wallet.wiring.opening import open_wallet

_ADDRESS: Final = re.compile(r"https?://[^\s\"'\\]{1,2000}")
_ASKED: Final = Chain(chain_id=ChainId("eip155:0"), name="the adapter", native_symbol="", confirmations=0)
"""Stands for the chain of a node that has not said yet which one it is on; its name is for sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Web3Adapter:
    """A private key and a node. The key leaves this process never, and neither stands in a print.

    Args:
        chain_id: CAIP-2 id of the chain that the node said it is on.
    """

    signer: Signer = field(repr=False)
    rpc_url: str = field(repr=False)
    chain_id: ChainId

    @property
    def address(self) -> str:
        """The account that the key signs for, EIP-55."""
        return checksum_address(self.signer.address)


async def make_adapter(private_key: str, rpc_url: str) -> Web3Adapter:
    """Return an adapter after one question to the node.

    Args:
        private_key: 64 hex digits, with or without `0x`.
        rpc_url: Address of a JSON-RPC node.

    Raises:
        CallerError: `INTENT_INVALID` when the address is none.
        OwnerError: `SIGNER_UNAVAILABLE` when the key is none.
        OutsideError: `NODE_UNAVAILABLE` when the node does not say which chain it is on.
    """
    from mcp_wallet.adapters.environment_key import EnvironmentSigner  # noqa: PLC0415  each part where it is made

    if _ADDRESS.fullmatch(rpc_url) is None:
        raise CallerError(
            ReasonCode.INTENT_INVALID, "`rpc_url` must be an address that begins with http:// or https://."
        )
    return Web3Adapter(signer=EnvironmentSigner(private_key), rpc_url=rpc_url, chain_id=await _chain_at(rpc_url))


async def open_with_adapter(environment: ProcessEnvironment, adapter: Web3Adapter) -> Wallet:
    """Return the home's wallet, signing with the adapter's key.

    Raises:
        OwnerError: As `open_wallet`; `SIGNER_UNAVAILABLE` for the key of another account, `CHAIN_MISMATCH` and
            `CONFIG_UNAPPROVED` for a node that the settings do not approve.
    """
    wallet = await open_wallet(environment, signer=adapter.signer)
    try:
        check_node(adapter, wallet.settings)
    except BaseException:
        await wallet.close()
        raise
    return wallet


def check_node(adapter: Web3Adapter, settings: Settings) -> None:
    """Return when the adapter's node is one of the approved nodes of its chain; raises as `open_with_adapter`."""
    found = settings.chains.get(adapter.chain_id)
    if found is None:
        known = ", ".join(settings.registry.chain(chain).name for chain in settings.chains) or "none"
        raise OwnerError(
            ReasonCode.CHAIN_MISMATCH,
            f"The adapter's node is on `{adapter.chain_id}`, and this home pays on {known}: take another node.",
            {"observed": adapter.chain_id, "expected": " ".join(settings.chains)},
        )
    if _plain(adapter.rpc_url) not in map(_plain, found.nodes):
        name = settings.registry.chain(adapter.chain_id).name
        raise OwnerError(
            ReasonCode.CONFIG_UNAPPROVED,
            f"The adapter's node is none of the approved ones for {name}: take one that stands in wallet.toml.",
        )


async def _chain_at(rpc_url: str) -> ChainId:
    from mcp_wallet.adapters.evm.node import Node  # noqa: PLC0415  web3 comes with it
    from mcp_wallet.adapters.evm.wire import parse_number  # noqa: PLC0415

    node = Node(rpc_url, _ASKED)
    try:
        return ChainId(f"eip155:{await node.ask('eth_chainId', [], parse_number)}")
    finally:
        await node.close()


def _plain(address: str) -> str:
    return address.rstrip("/")
