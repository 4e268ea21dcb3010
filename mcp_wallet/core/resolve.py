"""The resolved policy: self-contained, and the hash that names it.

Files are read, payee names turned into addresses, short names into CAIP ids, amounts into base units, durations into
milliseconds: whoever holds the document can decide again without this machine.
"""

import hashlib
from collections.abc import Mapping

from mcp_wallet.core.canonical import POLICY_DOMAIN, Json, domain_hash
from mcp_wallet.core.document import as_mapping, as_texts


def policy_hash(document: Json) -> str:
    """Return `policyHash`: each list enters as its count and the Merkle root of its sorted addresses."""
    fields = as_mapping(document)
    return committed_hash(fields, list_commitments(fields))


def committed_hash(document: Mapping[str, Json], commitments: Mapping[str, Json]) -> str:
    """Return `policyHash` of a document whose list commitments are at hand."""
    return domain_hash(POLICY_DOMAIN, {**document, "lists": commitments})


def list_commitments(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return `{"count", "root"}` of each list of a resolved policy."""
    return {name: _commitment(as_texts(addresses)) for name, addresses in as_mapping(document["lists"]).items()}


def _commitment(addresses: list[str]) -> Json:
    return {"count": str(len(addresses)), "root": _root(sorted(addresses))}


def _root(leaves: list[str]) -> str:
    """Return the RFC 6962 tree hash of the addresses as ASCII text, in hex."""
    level = [hashlib.sha256(b"\x00" + leaf.encode("ascii")).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[0::2], level[1::2], strict=False)
        level = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0].hex()
