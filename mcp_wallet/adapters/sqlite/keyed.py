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
_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = [high + low for high in _DIGITS for low in _DIGITS]
_SHIFTS: Final = range(250, -1, -10)
"""Where the 26 pairs of base32 digits stand in a digest of 256 bits and the 4 zero bits that fill its last digit."""


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
        number = int.from_bytes(keyed.digest()) << 4
        return "int_" + "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])

    def _pseudonym(self, address: str) -> str:
        keyed = self._recipient.copy()
        keyed.update(address.encode())
        return "hmac-sha256:" + keyed.hexdigest()
