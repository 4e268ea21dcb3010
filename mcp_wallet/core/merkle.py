"""RFC 6962 / RFC 9162 Merkle tree over the trail's events: grow it, prove with it, verify what others prove.

Nodes have no table of their own. The row of leaf i stores, one after another, the hashes of every complete subtree that
ends at that leaf, the leaf hash first: node (level, index) is found in row `((index + 1) << level) - 1` at byte
`32 * level`. A proof therefore needs about log2(n) point reads, each of another row.

Makers and verifiers raise `ProofInvalid`; nothing here is a secret, so nothing compares in constant time.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Read = Callable[[int], bytes]
"""Returns the stored hashes of a row (leaf index); empty bytes where there is no such row."""


class ProofInvalid(Exception):  # noqa: N818  says what the proof is
    """A proof does not lead from what it starts with to the root, or the tree has a hole where one is needed."""


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The complete subtrees of a tree, left to right, at most one of each height: all that appending needs.

    Attributes:
        size: Number of leaves; the sequence that the next leaf gets.
    """

    __slots__ = ("_nodes", "size")

    def __init__(self, size: int, nodes: list[bytes]) -> None:
        """Use `empty` or `load`."""
        self.size = size
        self._nodes = nodes

    @classmethod
    def empty(cls) -> "Frontier":
        """Return the frontier of the empty tree."""
        return cls(0, [])

    @classmethod
    def load(cls, size: int, read: Read) -> "Frontier":
        """Return the frontier of the first `size` leaves: one read for each one bit of `size`.

        Raises:
            ProofInvalid: When a hash is not stored, or the size is below zero.
        """
        return cls(size, _nodes(0, _checked(size), read))

    def append(self, leaf: bytes) -> bytes:
        """Add a leaf hash; return the hashes to store in its row, `32 * (trailing one bits of the index + 1)` bytes.

        Amortised one hash for each leaf. The leaf's length is the caller's promise (`leaf_hash`): this is the hot path.
        """
        index = self.size
        self.size = index + 1
        node = stored = leaf
        while index & 1:
            node = hashlib.sha256(b"\x01" + self._nodes.pop() + node).digest()
            stored += node
            index >>= 1
        self._nodes.append(node)
        return stored

    def copy(self) -> "Frontier":
        """Return the tree as it is, which does not grow with this one."""
        return Frontier(self.size, list(self._nodes))

    def root(self) -> bytes:
        """Return the root of the tree as it is; `EMPTY_ROOT` of the empty one."""
        return _fold(self._nodes)


def root_of(leaves: list[bytes]) -> bytes:
    """Return the root over all leaf hashes at once; `EMPTY_ROOT` of none. Half the time of a `Frontier`."""
    sha256, level = hashlib.sha256, leaves
    while len(level) > 1:
        pairs = iter(level)
        above = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        level = above + level[len(level) - len(level) % 2 :]  # the last of an odd number rises as it is
    return level[0] if level else EMPTY_ROOT


def node_at(level: int, index: int, read: Read) -> bytes:
    """Return the hash of a complete subtree of `1 << level` leaves: one read.

    Raises:
        ProofInvalid: When it is not stored.
    """
    found = read(((index + 1) << level) - 1)[HASH_BYTES * level : HASH_BYTES * (level + 1)]
    if len(found) != HASH_BYTES:
        message = f"the hash of level {level}, index {index} is not stored"
        raise ProofInvalid(message)
    return found


def root_at(size: int, read: Read) -> bytes:
    """Return the root of the first `size` leaves, `EMPTY_ROOT` of none: one read for each one bit of `size`.

    Raises:
        ProofInvalid: When a hash is not stored, or the size is below zero.
    """
    return _fold(_nodes(0, _checked(size), read))


def inclusion_proof(index: int, size: int, read: Read) -> tuple[bytes, ...]:
    """Return the audit path of a leaf in the tree of `size` leaves (RFC 9162 section 2.1.3.1), lowest first.

    At most log2(size) hashes, from about as many reads, and once the reads of the right edge's subtrees.

    Raises:
        ProofInvalid: When the leaf is not in that tree, or a hash is not stored.
    """
    if not 0 <= index < size:
        message = f"leaf {index} is not in a tree of {size}"
        raise ProofInvalid(message)
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_subtree(middle, high, read))
            high = middle
        else:
            path.append(_subtree(low, middle, read))
            low = middle
    return tuple(reversed(path))


def consistency_proof(size1: int, size2: int, read: Read) -> tuple[bytes, ...]:
    """Return the proof that the first tree is a prefix of the second (RFC 9162 section 2.1.4.1).

    Empty when the sizes are equal. Size 0 is refused: the empty tree is a prefix of every tree, which proves nothing.

    Raises:
        ProofInvalid: Unless 0 < size1 <= size2, or when a hash is not stored.
    """
    if not 0 < size1 <= size2:
        message = f"no consistency proof leads from {size1} to {size2} leaves"
        raise ProofInvalid(message)
    path: list[bytes] = []
    low, high, whole = 0, size2, True
    while size1 != high:
        middle = low + _split(high - low)
        if size1 <= middle:
            path.append(_subtree(middle, high, read))
            high = middle
        else:
            path.append(_subtree(low, middle, read))
            low, whole = middle, False
    if not whole:
        path.append(_subtree(low, high, read))
    return tuple(reversed(path))


def verify_inclusion(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Verify that the leaf hash stands at `index` in the tree of `size` leaves (RFC 9162 section 2.1.3.2).

    The proof binds `size` only together with `root`: take both from one signed checkpoint.

    Args:
        leaf: The leaf's hash, 32 bytes, never its text.
        proof: Lowest sibling first.

    Raises:
        ProofInvalid: When it does not, or when the proof is malformed.
    """
    if not 0 <= index < size or not _are_hashes(leaf, root, *proof):
        raise ProofInvalid("the inclusion proof is malformed")
    fn, sn, node = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise ProofInvalid("the inclusion proof is too long")
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            fn, sn = _skip_right_edge(fn, sn)
        else:
            node = node_hash(node, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or node != root:
        raise ProofInvalid("the inclusion proof does not lead to the root")


def verify_consistency(*, size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Verify that the first tree is a prefix of the second (RFC 9162 section 2.1.4.2); size 0 proves nothing.

    Raises:
        ProofInvalid: When it is not, or when the proof is malformed.
    """
    if not 0 < size1 <= size2 or not _are_hashes(root1, root2, *proof):
        raise ProofInvalid("the consistency proof is malformed")
    if size1 == size2:
        if proof or root1 != root2:
            raise ProofInvalid("two trees of one size differ")
        return
    path = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    if not path or _walk(size1, size2, path) != (root1, root2):
        raise ProofInvalid("the consistency proof does not lead to both roots")


def _walk(size1: int, size2: int, path: list[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots that a path leads to (RFC 9162 section 2.1.4.2, steps 3 to 6)."""
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise ProofInvalid("the consistency proof is too long")
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            fn, sn = _skip_right_edge(fn, sn)
        else:
            second = node_hash(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0:
        raise ProofInvalid("the consistency proof is too short")
    return first, second


def _skip_right_edge(fn: int, sn: int) -> tuple[int, int]:
    """Return the position at which the node on the tree's right edge has a sibling again."""
    if not fn & 1:
        while fn and not fn & 1:
            fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def _split(count: int) -> int:
    """Return the largest power of two below a count of at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _cover(low: int, high: int) -> Iterator[tuple[int, int]]:
    """Yield the largest complete subtrees (level, index) that make up the leaves [low, high), left to right."""
    while low < high:
        level = (high - low).bit_length() - 1
        while low & ((1 << level) - 1):
            level -= 1
        yield level, low >> level
        low += 1 << level


def _checked(size: int) -> int:
    if size < 0:
        message = f"no tree has {size} leaves"
        raise ProofInvalid(message)
    return size


def _nodes(low: int, high: int, read: Read) -> list[bytes]:
    return [node_at(level, index, read) for level, index in _cover(low, high)]


def _subtree(low: int, high: int, read: Read) -> bytes:
    return _fold(_nodes(low, high, read))


def _fold(nodes: list[bytes]) -> bytes:
    if not nodes:
        return EMPTY_ROOT
    root = nodes[-1]
    for left in reversed(nodes[:-1]):
        root = node_hash(left, root)
    return root
