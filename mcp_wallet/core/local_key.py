"""A secp256k1 key in this process, which can do one thing: sign what Gate 2 sealed.

Pure: RFC 6979 makes the signature a function of key and bytes, so recovery that signs again gets the same bytes.
The secret is in no `repr`, no message and no exception of this module.
"""

from typing import Final

from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.signing_gate import Sealed
from mcp_wallet.core.transaction import assemble_signed, signing_hash

SECRET_BYTES: Final = 32


class LocalKey:
    """Signs sealed transactions with one key.

    Args:
        secret: 32 bytes, big-endian, between 1 and the group order less 1.

    Raises:
        OwnerError: `SIGNER_UNAVAILABLE` when that is no key.
    """

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        """Derive the address once."""
        from coincurve import PrivateKey  # noqa: PLC0415  start-up time: only signers need it

        if len(secret) != SECRET_BYTES:
            raise _not_a_key()
        try:
            self._key = PrivateKey(secret)
        except ValueError:
            raise _not_a_key() from None
        self.address: Final = _address_of(self._key.public_key.format(compressed=False))

    def __repr__(self) -> str:
        """Show whose key it is, never the key."""
        return f"LocalKey({self.address})"

    def sign(self, sealed: Sealed) -> bytes:
        """Return the signed transaction; coincurve gives a low-s signature with an RFC 6979 nonce."""
        signature = self._key.sign_recoverable(signing_hash(sealed.unsigned), hasher=None)
        r, s, y_parity = signature[:32], signature[32:64], signature[64]
        return assemble_signed(sealed.unsigned, y_parity, int.from_bytes(r, "big"), int.from_bytes(s, "big"))


def _address_of(public_key: bytes) -> Address:
    """Return the account of an uncompressed public key (0x04, x, y): the last 20 bytes of keccak(x, y)."""
    from eth_hash.auto import keccak  # noqa: PLC0415  start-up time

    return Address("0x" + keccak(public_key[1:])[-20:].hex())


def _not_a_key() -> OwnerError:
    return OwnerError(ReasonCode.SIGNER_UNAVAILABLE, "The signing key must be 32 bytes of hex, a valid secp256k1 key.")
