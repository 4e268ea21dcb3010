"""Chains, assets and addresses, parsed once and never plain text again.

Rules: CAIP-2 chain ids (`eip155:8453`), CAIP-19 asset ids (`eip155:8453/erc20:0x…`, `eip155:1/slip44:60`),
CAIP-10 accounts (`eip155:8453:0x…`), EIP-55 checksums. Inside the wallet an address is lower case; a wrong
checksum on mixed case is refused *before* it is normalised.
"""

import re
from functools import lru_cache
from typing import NewType

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode

ChainId = NewType("ChainId", str)
"""CAIP-2, always of namespace `eip155`."""
AssetId = NewType("AssetId", str)
"""CAIP-19, address part in lower case."""
Address = NewType("Address", str)
"""`0x` and 40 lower-case hex digits."""

ZERO_ADDRESS = Address("0x" + "0" * 40)
RESERVED_MAX = Address("0x" + "0" * 37 + "1ff")
"""The zero address and everything up to here is a precompiled contract or kept for one."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_CHAIN = re.compile(r"eip155:([1-9][0-9]{0,17})")
_ASSET = re.compile(r"(eip155:[1-9][0-9]{0,17})/(erc20:0x[0-9a-fA-F]{40}|slip44:(?:0|[1-9][0-9]{0,9}))")
_PAYEE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_HIGH = str.maketrans("0123456789abcdef", "0" * 8 + "1" * 8)
_LETTERS = str.maketrans("0123456789abcdefABCDEF", "0" * 10 + "1" * 12)
_CAPITALS = str.maketrans("0123456789abcdefABCDEF", "0" * 16 + "1" * 6)


def parse_chain_id(text: str) -> ChainId:
    """Return the CAIP-2 id; `CallerError(CHAIN_UNKNOWN)` when it is not one of namespace `eip155`."""
    if _CHAIN.fullmatch(text) is None:
        raise CallerError(ReasonCode.CHAIN_UNKNOWN, f"`{text[:80]}` is not a CAIP-2 chain id such as `eip155:8453`.")
    return ChainId(text)


def chain_number(chain: ChainId) -> int:
    """Return the EIP-155 number inside a parsed chain id."""
    return int(chain[7:])


def parse_asset_id(text: str) -> AssetId:
    """Return the CAIP-19 id in lower case; `CallerError(ASSET_UNKNOWN)` when it is not one."""
    if _ASSET.fullmatch(text) is None:
        raise CallerError(
            ReasonCode.ASSET_UNKNOWN, f"`{text[:120]}` is not a CAIP-19 asset id such as `eip155:8453/erc20:0x…`."
        )
    return AssetId(text.lower())


def parse_address(text: str) -> Address:
    """Return the address in lower case.

    A single-case address carries no checksum and is accepted; mixed case must be its EIP-55 form.

    Raises:
        CallerError: `RECIPIENT_INVALID` for another shape or a wrong checksum.
    """
    if _ADDRESS.fullmatch(text) is None:
        raise CallerError(
            ReasonCode.RECIPIENT_INVALID,
            f"`{text[:80]}` is not an address: send `0x` and 40 hex digits, or a payee name.",
        )
    lower = Address(text.lower())
    digits = text[2:]
    if text != lower and digits != digits.upper() and not _is_checksummed(digits):
        raise CallerError(
            ReasonCode.RECIPIENT_INVALID,
            f"`{text}` has a wrong EIP-55 checksum: at least one character differs from the address that was meant.",
        )
    return lower


@lru_cache(maxsize=4096)
def checksum_address(address: Address) -> str:
    """Return the EIP-55 form of a lower-case address."""
    digits = address[2:]
    digest = _keccak_hex(digits)
    return "0x" + "".join(c.upper() if digest[i] >= "8" else c for i, c in enumerate(digits))


def _is_checksummed(digits: str) -> bool:
    """Return whether exactly those letters are capitals that EIP-55 wants so; a list file asks a million times."""
    high = int(_keccak_hex(digits.lower())[:40].translate(_HIGH), 16)
    letters, capitals = int(digits.translate(_LETTERS), 16), int(digits.translate(_CAPITALS), 16)
    return capitals == high & letters


def _keccak_hex(digits: str) -> str:
    from sha3 import keccak_256  # noqa: PLC0415  only who writes or reads a checksum needs it

    digest: str = keccak_256(digits.encode("ascii")).hexdigest()
    return digest


def is_payee_name(text: str) -> bool:
    """Return whether the text has the shape of a payee name (SPEC section 2)."""
    return _PAYEE_NAME.fullmatch(text) is not None


def is_reserved_address(address: Address) -> bool:
    """Return whether this is the zero address or a precompiled contract."""
    return address <= RESERVED_MAX  # equal length and lower case: the order of the text is the order of the numbers


def is_lookalike(address: Address, known: Address) -> bool:
    """Return whether two different addresses share their first 3 and last 4 hex digits (address poisoning)."""
    return address != known and address[2:5] == known[2:5] and address[-4:] == known[-4:]
