"""What only the home's key can make: payment ids, intent ids, recipient pseudonyms. Used on the connection's thread.

A payment id is one block of AES-256 over the payment's row and 64 random bits (ADR 10): 128 bits that nobody without
the key can guess, link or count by, and that lead back to their row without an index.
"""

import hmac
import os
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mcp_wallet.core.canonical import Json, canonical_bytes

_PREFIX: Final = "pay_"
_HALF_BYTES: Final = 8
_DIGEST_DIGITS: Final = 52
_BASE32: Final = b"abcdefghijklmnopqrstuvwxyz234567".ljust(256)
_SPREADS: Final = tuple(
    (lane * 3, sum(((1 << lane * 5) - 1) << lane * 16 * pair for pair in range(32 // lane)))
    for lane in (32, 16, 8, 4, 2, 1)
)
"""Steps that give each digit a byte of its own: which way the upper half of each lane moves, and all lower halves."""


class KeyedNames:
    """The home's keyed names.

    Args:
        home_key: 32 secret bytes.
    """

    def __init__(self, home_key: bytes) -> None:
        """Derive what each use needs, once."""
        self._intent = hmac.new(home_key, b"mcp-wallet/intent-id/v1\n", "sha256")
        self._recipient = hmac.new(home_key, b"mcp-wallet/recipient/v1\n", "sha256")
        key = hmac.digest(home_key, b"mcp-wallet/payment-id/v1\n", "sha256")
        cipher = Cipher(algorithms.AES256(key), modes.ECB())  # noqa: S305  one block, and no block comes twice
        self._encrypt, self._decrypt = cipher.encryptor().update, cipher.decryptor().update
        self.pseudonym = lru_cache(maxsize=4_096)(self._pseudonym)

    def payment_id(self, row_id: int) -> str:
        """Return a fresh payment id of a row: `pay_` and 32 hex digits."""
        return _PREFIX + self._encrypt(row_id.to_bytes(_HALF_BYTES) + os.urandom(_HALF_BYTES)).hex()

    def row_of(self, payment_id: str) -> int:
        """Return the only row that may hold this id; -1 for what cannot be one. The row's own id has the last word."""
        try:
            block = bytes.fromhex(payment_id.removeprefix(_PREFIX))
        except ValueError:
            return -1
        row_id = int.from_bytes(self._decrypt(block)[:_HALF_BYTES]) if len(block) == 2 * _HALF_BYTES else -1
        return row_id if row_id < 1 << 63 else -1

    def intent_id(self, name: Json) -> str:
        """Return `int_` and base32 of the keyed hash of what names this attempt to pay (SPEC section 4)."""
        keyed = self._intent.copy()
        keyed.update(canonical_bytes(name))
        return "int_" + base32(keyed.digest())

    def _pseudonym(self, address: str) -> str:
        keyed = self._recipient.copy()
        keyed.update(address.encode())
        return "hmac-sha256:" + keyed.hexdigest()


def base32(digest: bytes) -> str:
    """Return the 52 lower-case base32 digits (RFC 4648) of 32 bytes; a third of what `base64.b32encode` takes."""
    number = int.from_bytes(digest) << 64  # 64 digits of 5 bits, the last 12 of them not wanted
    for shift, lower in _SPREADS:
        kept = number & lower
        number = kept | (number ^ kept) << shift
    return number.to_bytes(64).translate(_BASE32)[:_DIGEST_DIGITS].decode()
