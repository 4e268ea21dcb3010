"""Long lists of policies: stored once under their Merkle root, opened in each process without hashing them again.

A stored policy names a long list by count and root. The addresses stand beside it, 20 bytes each, under a seal that
only the home's key can make: a list whose seal is not right is hashed address by address before anything is decided
with it, and refused when it is not the one that was approved.
"""

import hmac
from collections.abc import Mapping
from typing import cast

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.core.address_set import ADDRESS_BYTES, AddressSet, ListCommitment
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.reasons import ReasonCode

_DOMAIN = b"mcp-wallet/policy-list/v1\n"


class PolicyLists:
    """The long lists of one home, each read once; used on the connection's thread.

    Args:
        home_key: 32 secret bytes.
    """

    def __init__(self, home_key: bytes) -> None:
        """Know no list yet."""
        self._key = hmac.digest(home_key, _DOMAIN, "sha256")
        self._known: dict[str, ListCommitment] = {}

    def keep(self, raw: Raw, document: Json) -> None:
        """Store the long lists of a resolved policy, in the transaction that stores its text."""
        for found in _lists(document).values():
            if isinstance(found, ListCommitment):
                addresses = found.addresses
                raw.execute(
                    "INSERT INTO policy_list (root, addresses, seal) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (addresses.root, addresses.packed, self._seal(addresses.root, addresses.packed)),
                )
                self._known[addresses.root] = found

    def restored(self, raw: Raw, document: Json) -> Json:
        """Return a stored policy with its long lists at hand.

        Raises:
            OwnerError: `POLICY_INVALID` when a list is missing or is not the one that the policy names.
        """
        lists = _lists(document)
        if not any(isinstance(found, Mapping) for found in lists.values()):
            return document
        whole = {n: self._list(raw, x) if isinstance(x, Mapping) else x for n, x in lists.items()}
        return {**cast("Mapping[str, Json]", document), "lists": whole}

    def _list(self, raw: Raw, commitment: Mapping[str, Json]) -> Json:
        root = str(commitment.get("root"))
        found = self._known.get(root)
        if found is None:
            row = raw.execute("SELECT addresses, seal FROM policy_list WHERE root = ?", (root,)).fetchone()
            found = self._known[root] = self._opened(root, *(row or (b"", b"")))
        if dict(found) != commitment:
            raise _unusable()
        return found

    def _opened(self, root: str, packed: bytes, seal: bytes) -> ListCommitment:
        if len(packed) % ADDRESS_BYTES:
            raise _unusable()
        sealed = hmac.compare_digest(seal, self._seal(root, packed))
        return ListCommitment(AddressSet(packed, root=root if sealed else ""))

    def _seal(self, root: str, packed: bytes) -> bytes:
        keyed = hmac.new(self._key, root.encode(), "sha256")
        keyed.update(packed)
        return keyed.digest()


def _lists(document: Json) -> Mapping[str, Json]:
    lists = document.get("lists") if isinstance(document, Mapping) else None
    return lists if isinstance(lists, Mapping) else {}


def _unusable() -> OwnerError:
    sentence = "A list of a stored policy is missing or is not the one that was approved: propose the policy again."
    return OwnerError(ReasonCode.POLICY_INVALID, sentence)
