"""The development signer: a key that was handed over as text and lives unencrypted in this process."""

import logging
import re
from functools import cache

from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.local_key import LocalKey
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.signing_gate import Sealed

_log = logging.getLogger(__name__)
_SECRET = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")


class EnvironmentSigner:
    """Signs with a key that environment or program gave (`ports.Signer`); says once that this is for development.

    Args:
        private_key: 64 hex digits, with or without `0x`.

    Raises:
        OwnerError: `SIGNER_UNAVAILABLE` when it is not a key; the text is not repeated.
    """

    def __init__(self, private_key: str) -> None:
        """Parse the key and warn."""
        match = _SECRET.fullmatch(private_key.strip())
        if match is None:
            raise OwnerError(ReasonCode.SIGNER_UNAVAILABLE, "The private key must be 64 hex digits, `0x` before them.")
        self._key = LocalKey(bytes.fromhex(match.group(1)))
        _warn()

    @property
    def address(self) -> Address:
        """The account that it signs for."""
        return self._key.address

    async def sign(self, sealed: Sealed) -> bytes:
        """Return the signed bytes."""
        return self._key.sign(sealed)


@cache
def _warn() -> None:
    """Warn on stderr, the first time in this process."""
    _log.warning("the wallet key was given as plain text and lies unencrypted in memory: use this for development only")
