"""The log's Ed25519 key, apart from the wallet's: it signs checkpoints, never money."""

from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES: Final = 32


class LogKey:
    """Signs checkpoints (RFC 8032).

    Args:
        seed: 32 random bytes, as `log.key` keeps them.
    """

    def __init__(self, seed: bytes) -> None:
        """Keep the seed; the library is imported at the first use."""
        self._seed = seed

    def __repr__(self) -> str:
        """Show what it is, never the seed."""
        return "LogKey()"

    @cached_property
    def public_key(self) -> bytes:
        """The 32 bytes that a verifier needs."""
        return self._private_key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature; deterministic."""
        return self._private_key.sign(message)

    @cached_property
    def _private_key(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  30 ms at start-up
            Ed25519PrivateKey,
        )

        return Ed25519PrivateKey.from_private_bytes(self._seed)
