"""Which chains and assets exist, with pinned decimals.

Names and decimals come from here, never from the model and, at decision time, never from the chain. The registry is
part of the settings document: adding to it is a change that must be approved.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address, AssetId, ChainId, chain_number
from mcp_wallet.core.reasons import ReasonCode

FINALIZED = 0
"""`confirmations` of a chain whose `finalized` tag decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One EVM chain.

    Args:
        confirmations: Blocks on top of the payment's own, or `FINALIZED` for the `finalized` tag.
    """

    chain_id: ChainId
    name: str
    native_symbol: str
    confirmations: int
    explorer: str = ""

    @property
    def number(self) -> int:
        """EIP-155 chain number."""
        return chain_number(self.chain_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A native coin (`token` is None) or an ERC-20 token, decimals pinned."""

    asset_id: AssetId
    chain: ChainId
    symbol: str
    decimals: int
    token: Address | None = None

    @property
    def unit(self) -> str:
        """Symbol as people write it: `USDC`."""
        return self.symbol.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The chains and assets of one home; look-ups by short name or by CAIP id."""

    chains: tuple[Chain, ...]
    assets: tuple[Asset, ...]
    _chain_by_key: dict[str, Chain] = field(init=False, repr=False, compare=False)
    _asset_by_key: dict[tuple[str, str], Asset] = field(init=False, repr=False, compare=False)
    _asset_by_id: dict[str, Asset] = field(init=False, repr=False, compare=False)
    tokens: frozenset[Address] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the look-ups once."""
        chain_by_key = {c.name: c for c in self.chains} | {c.chain_id: c for c in self.chains}
        object.__setattr__(self, "_chain_by_key", chain_by_key)
        object.__setattr__(self, "_asset_by_key", {(a.chain, a.symbol): a for a in self.assets})
        object.__setattr__(self, "_asset_by_id", {a.asset_id: a for a in self.assets})
        object.__setattr__(self, "tokens", frozenset(a.token for a in self.assets if a.token is not None))

    def chain(self, name: str) -> Chain:
        """Return the chain of a short name or CAIP-2 id; `CallerError(CHAIN_UNKNOWN)`."""
        if found := self._chain_by_key.get(name):
            return found
        known = ", ".join(c.name for c in self.chains)
        raise CallerError(ReasonCode.CHAIN_UNKNOWN, f"Chain `{name[:80]}` is not known here: send one of {known}.")

    def asset(self, chain: ChainId, name: str) -> Asset:
        """Return the asset of a symbol or CAIP-19 id on this chain; `CallerError(ASSET_UNKNOWN)`."""
        found = self._asset_by_key.get((chain, name.lower())) or self._asset_by_id.get(name.lower())
        if found is not None and found.chain == chain:
            return found
        known = ", ".join(a.symbol for a in self.assets if a.chain == chain)
        raise CallerError(
            ReasonCode.ASSET_UNKNOWN,
            f"Asset `{name[:80]}` is not known on {self.chain(chain).name}: send one of {known}.",
        )

    def asset_by_id(self, asset: AssetId) -> Asset:
        """Return the asset of a CAIP-19 id; `CallerError(ASSET_UNKNOWN)`."""
        if found := self._asset_by_id.get(asset):
            return found
        raise CallerError(ReasonCode.ASSET_UNKNOWN, f"Asset `{asset[:120]}` is not in the registry.")

    def native(self, chain: ChainId) -> Asset | None:
        """Return the chain's native coin, None when it is not registered."""
        return next((a for a in self.assets if a.chain == chain and a.token is None), None)

    def token(self, chain: ChainId, address: Address) -> Asset | None:
        """Return the registered token at this address of the chain, None when there is none."""
        return self._asset_by_id.get(f"{chain}/erc20:{address}")

    def assets_of(self, symbol: str) -> tuple[Asset, ...]:
        """Return every asset with this symbol, or the one with this CAIP-19 id; empty when there is none."""
        key = symbol.lower()
        return tuple(a for a in self.assets if key in (a.symbol, a.asset_id))


def native_asset(chain: Chain, slip44: int) -> Asset:
    """Return the native coin of a chain under its SLIP-44 number."""
    asset_id = AssetId(f"{chain.chain_id}/slip44:{slip44}")
    return Asset(asset_id=asset_id, chain=chain.chain_id, symbol=chain.native_symbol, decimals=18)


def token_asset(chain: ChainId, symbol: str, address: str, decimals: int) -> Asset:
    """Return an ERC-20 token; the address may be in any case."""
    token = Address(address.lower())
    return Asset(asset_id=AssetId(f"{chain}/erc20:{token}"), chain=chain, symbol=symbol, decimals=decimals, token=token)


def _shipped(rows: Iterable[tuple[int, str, str, int, int, str, str]]) -> Registry:
    chains, assets = [], []
    for number, name, native, slip44, confirmations, usdc, explorer in rows:
        chain = Chain(
            chain_id=ChainId(f"eip155:{number}"),
            name=name,
            native_symbol=native,
            confirmations=confirmations,
            explorer=explorer,
        )
        chains.append(chain)
        assets += [native_asset(chain, slip44), token_asset(chain.chain_id, "usdc", usdc, 6)]
    return Registry(chains=tuple(chains), assets=tuple(assets))


SHIPPED = _shipped(
    [
        # number, name, native coin, SLIP-44, confirmations, USDC, explorer
        (1, "ethereum", "eth", 60, FINALIZED, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "https://etherscan.io"),
        (8453, "base", "eth", 60, 10, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "https://basescan.org"),
        (42161, "arbitrum", "eth", 60, 10, "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "https://arbiscan.io"),
        (
            10,
            "optimism",
            "eth",
            60,
            10,
            "0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85",
            "https://optimistic.etherscan.io",
        ),
        (137, "polygon", "pol", 966, 10, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "https://polygonscan.com"),
        (
            11155111,
            "sepolia",
            "eth",
            60,
            FINALIZED,
            "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238",
            "https://sepolia.etherscan.io",
        ),
        (
            84532,
            "base-sepolia",
            "eth",
            60,
            10,
            "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            "https://sepolia.basescan.org",
        ),
        (
            421614,
            "arbitrum-sepolia",
            "eth",
            60,
            10,
            "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d",
            "https://sepolia.arbiscan.io",
        ),
        (
            11155420,
            "optimism-sepolia",
            "eth",
            60,
            10,
            "0x5fd84259d66Cd46123540766Be93DFE6D43130D7",
            "https://sepolia-optimism.etherscan.io",
        ),
        (
            80002,
            "polygon-amoy",
            "pol",
            966,
            10,
            "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582",
            "https://amoy.polygonscan.com",
        ),
        (31337, "local", "eth", 60, 1, "0x700b6A60ce7EaaEA56F065753d8dcB9653dbAD35", ""),
    ]
)
"""The registry that ships (SPEC section 2). The token on `local` is the development chain's test dollar."""
