"""Canonical bytes (RFC 8785) and domain-separated hashes.

The schema is restricted to text, booleans, null, small integers and ASCII keys, for which sorting keys by bytes and
serialising compactly *is* RFC 8785; the test suite holds this against the `rfc8785` package. The type `Json` has no
float: what is not in it never enters a document.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, TypeAlias

import orjson

Json: TypeAlias = "str | bool | int | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"
"""What may enter a canonical document. Integers only within ±(2^53 - 1); amounts are text."""

INTENT_DOMAIN: Final = "mcp-wallet/intent/v1"
POLICY_DOMAIN: Final = "mcp-wallet/policy/v1"
SETTINGS_DOMAIN: Final = "mcp-wallet/settings/v1"
MEMO_DOMAIN: Final = "mcp-wallet/memo/v1"

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def canonical_bytes(document: Json) -> bytes:
    """Return the RFC 8785 bytes of a document of the restricted schema.

    Raises:
        TypeError: For a type or number outside the schema (`orjson.JSONEncodeError` is one).
    """
    return orjson.dumps(document, option=_OPTIONS)


def domain_hash(domain: str, document: Json) -> str:
    r"""Return `"sha256:" + hex(sha256(domain + "\n" + JCS(document)))`."""
    return "sha256:" + hashlib.sha256(f"{domain}\n".encode() + canonical_bytes(document)).hexdigest()
