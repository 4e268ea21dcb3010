"""The tree against published roots and proofs, and against the RFC's naive definitions for every small size."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet.core.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    Frontier,
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "merkle.json").read_text("utf-8"))
SIZE = 70
LEAVES = [b"event %d" % i for i in range(SIZE)]

# ------------------------------------------------------------------- RFC 6962 section 2.1, word for word and as slow


def largest_power_below(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


@cache
def naive_root(low: int, high: int) -> bytes:
    """Return MTH(D[low:high])."""
    if high == low:
        return hashlib.sha256(b"").digest()
    if high - low == 1:
        return hashlib.sha256(b"\x00" + LEAVES[low]).digest()
    middle = low + largest_power_below(high - low)
    return hashlib.sha256(b"\x01" + naive_root(low, middle) + naive_root(middle, high)).digest()


def naive_path(index: int, low: int, high: int) -> tuple[bytes, ...]:
    """Return PATH(index, D[low:high])."""
    if high - low == 1:
        return ()
    middle = low + largest_power_below(high - low)
    if index < middle:
        return (*naive_path(index, low, middle), naive_root(middle, high))
    return (*naive_path(index, middle, high), naive_root(low, middle))


def naive_subproof(size1: int, low: int, high: int, *, whole: bool) -> tuple[bytes, ...]:
    """Return SUBPROOF(size1 - low, D[low:high], whole)."""
    if size1 == high:
        return () if whole else (naive_root(low, high),)
    middle = low + largest_power_below(high - low)
    if size1 <= middle:
        return (*naive_subproof(size1, low, middle, whole=whole), naive_root(middle, high))
    return (*naive_subproof(size1, middle, high, whole=False), naive_root(low, middle))


# ------------------------------------------------------------------------------------------------------- the vectors


def given_bytes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text[2:]) for text in texts]


def shown(hashes: tuple[bytes, ...] | list[bytes]) -> list[str]:
    return ["0x" + found.hex() for found in hashes]


def grown(leaves: list[bytes]) -> tuple[Frontier, list[bytes]]:
    """Return the frontier after these leaves, and the rows on the way."""
    frontier = Frontier.empty()
    return frontier, [frontier.append(leaf_hash(leaf)) for leaf in leaves]


def answer(given: dict[str, Any]) -> dict[str, object]:
    if given["kind"] == "verifyInclusion":
        leaf, root = given_bytes([given["leaf"], given["root"]])
        proof = given_bytes(given["proof"])
        verify_inclusion(index=int(given["index"]), size=int(given["size"]), leaf=leaf, proof=proof, root=root)
        return {"holds": True}
    if given["kind"] == "verifyConsistency":
        root1, root2 = given_bytes([given["root1"], given["root2"]])
        proof = given_bytes(given["proof"])
        size1, size2 = int(given["size1"]), int(given["size2"])
        verify_consistency(size1=size1, size2=size2, root1=root1, root2=root2, proof=proof)
        return {"holds": True}
    frontier, rows = grown(given_bytes(given["leaves"]))
    match given["kind"]:
        case "root":
            return {"root": "0x" + frontier.root().hex()}
        case "rows":
            return {"rows": shown(rows)}
        case "proveInclusion":
            return {"proof": shown(inclusion_proof(int(given["index"]), len(rows), rows.__getitem__))}
        case "proveConsistency":
            return {"proof": shown(consistency_proof(int(given["size1"]), len(rows), rows.__getitem__))}
        case other:
            pytest.fail(f"unexpected {other!r}")


def test_every_vector_has_an_id_of_its_own():
    assert len({vector["id"] for vector in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize("vector", [v for v in VECTORS if "says" not in v["expected"]], ids=lambda v: v["id"])
def test_the_published_answers_are_ours(vector: dict[str, Any]):
    assert answer(vector["input"]) == vector["expected"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if "says" in v["expected"]], ids=lambda v: v["id"])
def test_a_false_proof_is_refused_with_its_reason(vector: dict[str, Any]):
    with pytest.raises(ProofInvalid) as problem:
        answer(vector["input"])
    assert vector["expected"]["says"] in str(problem.value)
    assert "\n" not in str(problem.value)


# ------------------------------------------------------------------------------------------------- every small tree


@pytest.fixture(scope="module")
def rows() -> list[bytes]:
    return grown(LEAVES)[1]


def test_leaves_and_nodes_are_hashed_apart():
    assert leaf_hash(b"\x01" * 64) != node_hash(b"\x01" * HASH_BYTES, b"\x01" * HASH_BYTES)


def test_every_small_root_is_the_naive_one(rows: list[bytes]):
    frontier = Frontier.empty()
    for size in range(SIZE + 1):
        assert frontier.size == size
        assert frontier.root() == root_at(size, rows.__getitem__) == naive_root(0, size)
        if size < SIZE:
            assert frontier.append(leaf_hash(LEAVES[size])) == rows[size]


def test_a_row_holds_every_complete_subtree_that_ends_at_its_leaf(rows: list[bytes]):
    for index, row in enumerate(rows):
        levels = [level for level in range(8) if (index + 1) % (1 << level) == 0]
        assert row == b"".join(naive_root(index + 1 - (1 << level), index + 1) for level in levels)


def test_every_leaf_of_every_small_tree_has_the_naive_proof_and_it_holds(rows: list[bytes]):
    for size in range(1, SIZE + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, rows.__getitem__)
            assert proof == naive_path(index, 0, size)
            leaf, root = leaf_hash(LEAVES[index]), naive_root(0, size)
            verify_inclusion(index=index, size=size, leaf=leaf, proof=proof, root=root)


def test_every_small_tree_has_the_naive_proof_to_every_larger_one_and_it_holds(rows: list[bytes]):
    for size2 in range(1, SIZE + 1):
        for size1 in range(1, size2 + 1):
            proof = consistency_proof(size1, size2, rows.__getitem__)
            assert proof == naive_subproof(size1, 0, size2, whole=True)
            root1, root2 = naive_root(0, size1), naive_root(0, size2)
            verify_consistency(size1=size1, size2=size2, root1=root1, root2=root2, proof=proof)


def test_a_proof_holds_at_no_other_place_of_its_tree(rows: list[bytes]):
    for size in range(2, 33):
        for index in range(size):
            proof = inclusion_proof(index, size, rows.__getitem__)
            for other in set(range(size)) - {index}:
                with pytest.raises(ProofInvalid):
                    verify_inclusion(
                        index=other, size=size, leaf=leaf_hash(LEAVES[index]), proof=proof, root=naive_root(0, size)
                    )


def test_no_small_tree_grew_out_of_one_that_held_something_else(rows: list[bytes]):
    for size2 in range(1, SIZE + 1):
        for size1 in range(1, size2 + 1):
            proof = consistency_proof(size1, size2, rows.__getitem__)
            for root1, root2 in ((leaf_hash(b"?"), naive_root(0, size2)), (naive_root(0, size1), leaf_hash(b"?"))):
                with pytest.raises(ProofInvalid):
                    verify_consistency(size1=size1, size2=size2, root1=root1, root2=root2, proof=proof)


# ---------------------------------------------------------------------------------------------------- reads and holes


class CountedRows:
    """A tree too large to build: rows of the right shape, and a note of which were read."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __call__(self, sequence: int) -> bytes:
        self.read.append(sequence)
        ones = (~sequence & (sequence + 1)).bit_length() - 1
        return leaf_hash(b"%d" % sequence) * (ones + 1)


@pytest.mark.parametrize("size", [1, 2, 3, 1_000_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_a_proof_reads_as_many_rows_as_the_tree_is_high_and_each_once(size: int):
    for index in {0, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
        rows = CountedRows()
        proof = inclusion_proof(index, size, rows)
        assert len(proof) <= (size - 1).bit_length()
        assert len(set(rows.read)) == len(rows.read) <= (size - 1).bit_length() + size.bit_count()
        assert all(sequence < size for sequence in rows.read)
        rows = CountedRows()
        consistency_proof(index + 1, size, rows)
        assert len(set(rows.read)) == len(rows.read) <= 2 * size.bit_length()
        assert all(sequence < size for sequence in rows.read)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 1_000_000])
def test_a_root_and_a_frontier_read_one_row_for_each_complete_subtree(size: int):
    for ask in (Frontier.load, root_at):
        rows = CountedRows()
        ask(size, rows)
        assert len(rows.read) == size.bit_count()


@pytest.mark.parametrize("hole", [b"", b"\x00" * (HASH_BYTES * 3 - 1)])
def test_a_hole_in_the_tree_is_named_and_never_hashed_over(rows: list[bytes], hole: bytes):
    torn = [*rows[:3], hole, *rows[4:]]
    for ask in (
        lambda: root_at(6, torn.__getitem__),
        lambda: Frontier.load(6, torn.__getitem__),
        lambda: inclusion_proof(5, 6, torn.__getitem__),
        lambda: consistency_proof(4, 6, [*rows[:5], b""].__getitem__),
    ):
        with pytest.raises(ProofInvalid, match=r"level \d, index \d is not stored"):
            ask()


def test_what_no_tree_can_be_asked_is_refused(rows: list[bytes]):
    for ask in (
        lambda: root_at(-1, rows.__getitem__),
        lambda: Frontier.load(-1, rows.__getitem__),
        lambda: inclusion_proof(-1, 4, rows.__getitem__),
        lambda: inclusion_proof(4, 4, rows.__getitem__),
        lambda: inclusion_proof(0, 0, rows.__getitem__),
        lambda: consistency_proof(0, 4, rows.__getitem__),
        lambda: consistency_proof(-1, 4, rows.__getitem__),
        lambda: consistency_proof(5, 4, rows.__getitem__),
    ):
        with pytest.raises(ProofInvalid):
            ask()


def test_the_empty_tree_has_the_root_of_nothing():
    assert Frontier.empty().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()
