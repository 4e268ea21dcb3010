"""The hash that names a policy. Each list enters as its count and the Merkle root of its sorted addresses.

So a decision can name a policy with a million recipients, and one of them can be proven without showing the others.
"""

from collections.abc import Mapping

from mcp_wallet.core.canonical import POLICY_DOMAIN, Json, domain_hash
from mcp_wallet.core.document import as_mapping, as_text, as_texts
from mcp_wallet.core.merkle import leaf_hash, root_of


def policy_hash(document: Json) -> str:
    """Return `policyHash` of a resolved policy: `"sha256:" + hex`."""
    fields = as_mapping(document)
    return committed_hash(fields, list_commitments(fields))


def committed_hash(document: Mapping[str, Json], commitments: Mapping[str, Json]) -> str:
    """Return `policyHash` of a document whose list commitments are at hand."""
    return domain_hash(POLICY_DOMAIN, {**document, "lists": commitments})


def list_commitments(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return `{"count", "root"}` of each list: RFC 6962 over the sorted addresses, lower case, as ASCII text.

    A list that stands in the document by its commitment is taken as it is: the hash names the same addresses.
    """
    return {name: _commitment(addresses) for name, addresses in as_mapping(document["lists"]).items()}


def _commitment(addresses: Json) -> Json:
    if isinstance(addresses, Mapping):
        return {"count": as_text(addresses["count"]), "root": as_text(addresses["root"])}
    texts = sorted(as_texts(addresses))
    root = root_of([leaf_hash(text.encode("ascii")) for text in texts])
    return {"count": str(len(texts)), "root": root.hex()}
