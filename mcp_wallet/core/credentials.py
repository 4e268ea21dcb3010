"""The two secrets that people and agents show at a door, and how the ledger recognises them.

An agent's key is `mw_<environment>_<id>_<secret>`, an operator's token `mwop_<id>_<secret>`; the secret is 256 random
bits in lower-case base32. Only a keyed hash of the whole text is stored: whoever reads the ledger cannot show them, and
without the home's key cannot even test a guess.
"""

import base64
import hmac
import re
from typing import Final

SECRET_BYTES: Final = 32

_SECRET = "[a-z2-7]{52}"  # noqa: S105  a shape, not a secret
_API_KEY = re.compile(rf"mw_([a-z0-9-]{{1,32}})_([a-z0-9]{{1,32}})_{_SECRET}")
_OPERATOR_TOKEN = re.compile(rf"mwop_([a-z0-9]{{1,32}})_{_SECRET}")
_ENVIRONMENT = re.compile(r"[a-z0-9-]{1,32}")


def is_environment(text: str) -> bool:
    """Return whether the text can name an environment: it stands between the underscores of a key."""
    return _ENVIRONMENT.fullmatch(text) is not None


def format_api_key(environment: str, key_id: str, secret: bytes) -> str:
    """Return `mw_<environment>_<id>_<secret>` of 32 random bytes."""
    return f"mw_{environment}_{key_id}_{_secret_text(secret)}"


def format_operator_token(token_id: str, secret: bytes) -> str:
    """Return `mwop_<id>_<secret>` of 32 random bytes."""
    return f"mwop_{token_id}_{_secret_text(secret)}"


def parse_api_key(text: str) -> tuple[str, str] | None:
    """Return environment and key id of an agent's key, None for any other text."""
    found = _API_KEY.fullmatch(text)
    return (found[1], found[2]) if found else None


def parse_operator_token(text: str) -> str | None:
    """Return the token id of an operator's token, None for any other text."""
    found = _OPERATOR_TOKEN.fullmatch(text)
    return found[1] if found else None


def credential_hash(home_key: bytes, text: str) -> str:
    """Return HMAC-SHA256 of the text under the home's key, in hex."""
    return hmac.new(home_key, text.encode("utf-8", "surrogateescape"), "sha256").hexdigest()


def _secret_text(secret: bytes) -> str:
    return base64.b32encode(secret).decode("ascii").rstrip("=").lower()
