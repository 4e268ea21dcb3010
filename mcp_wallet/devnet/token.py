"""The test dollar: `MockUSDC.vy`, compiled once (vyper 0.4.3, `--evm-version paris`) into `mock_usdc.json`.

Our own contract (MIT), written from the EIP texts: ERC-20 with 6 decimals, EIP-2612, EIP-3009, a blacklist, and
Circle's words for its refusals.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mcp_wallet.devnet import DEV_ACCOUNTS, DEV_CHAIN_NUMBER, DEV_USDC_ADDRESS, DEV_USDC_SUPPLY_UNITS

if TYPE_CHECKING:  # py-evm takes most of a second, and only the node needs it
    from mcp_wallet.devnet.node import DevNode

DEPLOYER: Final = DEV_ACCOUNTS[9]
HOLDER: Final = DEV_ACCOUNTS[0]
_DEPLOY_GAS: Final = 3_000_000
_MINT_GAS: Final = 150_000
_MAX_FEE_WEI: Final = 10 * 10**9
_MINT_SELECTOR: Final = bytes.fromhex("40c10f19")


def creation_code() -> bytes:
    """Return the bytes that create the token, with a supply of zero for its constructor."""
    artifact = json.loads(Path(__file__).with_name("mock_usdc.json").read_text("utf-8"))
    return bytes.fromhex(artifact["bytecode"].removeprefix("0x")) + bytes(32)


def mint_call(to: str, amount_units: int) -> bytes:
    """Return the call data of `mint(address,uint256)`."""
    return _MINT_SELECTOR + bytes.fromhex(to[2:]).rjust(32, b"\0") + amount_units.to_bytes(32, "big")


def deploy_token(node: "DevNode") -> None:
    """Create the token by the deployer's first transaction and mint its supply by the second.

    Raises:
        RuntimeError: it is not where `DEV_USDC_ADDRESS` says.
    """
    token = bytes.fromhex(DEV_USDC_ADDRESS[2:])
    node.send(_signed(node, nonce=0, to=b"", gas=_DEPLOY_GAS, data=creation_code()))
    node.mine_ready()
    node.send(_signed(node, nonce=1, to=token, gas=_MINT_GAS, data=mint_call(HOLDER.address, DEV_USDC_SUPPLY_UNITS)))
    node.mine_ready()
    if not node.chain.state(node.chain.newest).get_code(token):
        raise RuntimeError("the test dollar is not at its address")


def _signed(node: "DevNode", *, nonce: int, to: bytes, gas: int, data: bytes) -> bytes:
    """Return a signed transaction; a creation among them, which the wallet's own encoder never writes."""
    from eth_keys.datatypes import PrivateKey  # noqa: PLC0415  see above

    unsigned = node.chain.builder().new_unsigned_dynamic_fee_transaction(
        chain_id=DEV_CHAIN_NUMBER,
        nonce=nonce,
        max_priority_fee_per_gas=1,
        max_fee_per_gas=_MAX_FEE_WEI,
        gas=gas,
        to=to,
        value=0,
        data=data,
        access_list=(),
    )
    raw: bytes = unsigned.as_signed_transaction(PrivateKey(bytes.fromhex(DEPLOYER.private_key[2:]))).encode()
    return raw
