"""A list of recipients that may have a million entries: 20 bytes each, sorted, and looked up without unpacking.

A set of texts takes seven times the memory and seconds to build in each process. Here the bytes are the index: the
first address of every block is at hand, one bisection finds the block, and the block is searched as bytes.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import islice
from operator import eq
from typing import Final

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.merkle import root_of

ADDRESS_BYTES: Final = 20
INLINE_MAX: Final = 256
"""A longer list is packed, and stands in a document by count and root alone."""
_BLOCK_BYTES: Final = 32 * ADDRESS_BYTES


class AddressSet(AbstractSet[Address]):
    """Addresses that never change.

    Args:
        packed: The addresses' bytes, ascending, each once; their order is the caller's promise.
        root: The Merkle root as hex, where it is known already; else it is computed when it is asked for.

    Raises:
        ValueError: When the bytes are not a whole number of addresses.
    """

    __slots__ = ("_find", "_firsts", "_root", "packed")

    def __init__(self, packed: bytes, *, root: str = "") -> None:
        """Index the first address of each block."""
        if len(packed) % ADDRESS_BYTES:
            raise ValueError("packed addresses are 20 bytes each")
        self.packed, self._root, self._find = packed, root, packed.find
        self._firsts = [packed[i : i + ADDRESS_BYTES] for i in range(0, len(packed), _BLOCK_BYTES)]

    @classmethod
    def of(cls, addresses: Iterable[str]) -> "AddressSet":
        """Return the set of these addresses, in any order and number of times."""
        return cls.of_keys([bytes.fromhex(address[2:]) for address in addresses])

    @classmethod
    def of_keys(cls, keys: list[bytes]) -> "AddressSet":
        """Return the set of these 20-byte addresses; sorts the list in place."""
        keys.sort()
        repeats = any(map(eq, keys, islice(keys, 1, None)))
        return cls(b"".join(dict.fromkeys(keys) if repeats else keys))

    @classmethod
    def _from_iterable(cls, it: Iterable[Address]) -> "AddressSet":  # type: ignore[override]  # what `&`, `|`, `-` make
        return cls.of(it)

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, str):
            return False
        key = bytes.fromhex(address[2:])
        right = bisect_right(self._firsts, key) * _BLOCK_BYTES
        left = right - _BLOCK_BYTES
        found = self._find(key, left, right)  # before the first block: [-block, 0), which is empty
        while found >= 0 and (found - left) % ADDRESS_BYTES:  # it lies across two neighbours
            found = self._find(key, found + 1, right)
        return found >= 0

    def __iter__(self) -> Iterator[Address]:
        digits = self.packed.hex(",", -ADDRESS_BYTES).split(",") if self.packed else []
        return (Address("0x" + text) for text in digits)

    def __len__(self) -> int:
        return len(self.packed) // ADDRESS_BYTES

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AddressSet):
            return self.packed == other.packed
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as every `Set` that is compared by its members

    @property
    def root(self) -> str:
        """The RFC 6962 root over the sorted addresses as ASCII text, lower case, as hex; seconds for a million."""
        if not self._root:
            sha256, digits = hashlib.sha256, self.packed.hex().encode()
            leaves = [sha256(b"\x000x" + digits[i : i + 40]).digest() for i in range(0, len(digits), 40)]
            self._root = root_of(leaves).hex()
        return self._root


class ListCommitment(dict[str, str]):
    """What stands for a long list in a document, `{"count", "root"}`, with the addresses themselves at hand.

    Serialised it is the commitment alone: whoever stores the document stores the addresses beside it, under the root.
    """

    __slots__ = ("addresses",)

    def __init__(self, addresses: AddressSet) -> None:
        """Commit to the addresses."""
        super().__init__(count=str(len(addresses)), root=addresses.root)
        self.addresses = addresses
