"""The tree against RFC 6962's own leaves, and against a naive definition for every small size."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet.core.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    bytes.fromhex(h)
    for h in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "60" + "".join(f"{i:02x}" for i in range(0x61, 0x70)),
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZE = 70


def build(leaves):
    frontier, rows, roots = Frontier.empty(), [], [EMPTY_ROOT]
    for leaf in leaves:
        rows.append(frontier.append(leaf_hash(leaf)))
        roots.append(frontier.root())
    return rows, roots


def naive_root(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def test_the_roots_of_the_published_leaves_are_the_published_ones():
    _, roots = build(LEAVES)
    assert [r.hex() for r in roots[1:]] == ROOTS


def test_every_leaf_of_every_small_tree_has_a_proof_that_leads_to_its_root():
    leaves = [bytes([i]) for i in range(SIZE)]
    rows, roots = build(leaves)
    for size in range(1, SIZE + 1):
        assert roots[size] == naive_root(leaves[:size]) == root_at(size, rows.__getitem__)
        for index in range(size):
            proof = inclusion_proof(index, size, rows.__getitem__)
            verify_inclusion(index=index, size=size, leaf=leaf_hash(leaves[index]), proof=proof, root=roots[size])


def test_every_small_tree_is_a_prefix_of_every_larger_one_and_only_of_those():
    rows, roots = build([bytes([i]) for i in range(SIZE)])
    for size2 in range(1, SIZE + 1):
        for size1 in range(1, size2 + 1):
            proof = consistency_proof(size1, size2, rows.__getitem__)
            verify_consistency(size1=size1, size2=size2, root1=roots[size1], root2=roots[size2], proof=proof)
            with pytest.raises(ProofInvalid):
                verify_consistency(size1=size1, size2=size2, root1=leaf_hash(b"?"), root2=roots[size2], proof=proof)


def test_an_empty_tree_proves_nothing():
    with pytest.raises(ProofInvalid):
        verify_consistency(size1=0, size2=1, root1=EMPTY_ROOT, root2=leaf_hash(b""), proof=())
    with pytest.raises(ProofInvalid):
        consistency_proof(0, 1, lambda _: b"")


@given(st.integers(1, 300), st.data())
def test_a_changed_proof_is_refused(size, data):
    rows, roots = build([str(i).encode() for i in range(size)])
    index = data.draw(st.integers(0, size - 1))
    proof = list(inclusion_proof(index, size, rows.__getitem__))
    leaf = leaf_hash(str(index).encode())
    wrong = data.draw(st.sampled_from(["leaf", "index", "drop", "add", "flip"]))
    if wrong == "leaf":
        leaf = leaf_hash(b"another")
    elif wrong == "index":
        index = (index + 1) % size if size > 1 else 5
    elif wrong == "add" or not proof:
        proof.append(leaf_hash(b"x"))
    elif wrong == "drop":
        proof.pop()
    else:
        proof[0] = leaf_hash(b"y")
    with pytest.raises(ProofInvalid):
        verify_inclusion(index=index, size=size, leaf=leaf, proof=proof, root=roots[size])


@given(st.integers(0, 200), st.integers(1, 60))
def test_a_loaded_frontier_goes_on_as_if_it_had_never_stopped(size, more):
    rows, roots = build([str(i).encode() for i in range(size + more)])
    frontier = Frontier.load(size, rows.__getitem__)
    assert frontier.root() == roots[size]
    for i in range(size, size + more):
        assert frontier.append(leaf_hash(str(i).encode())) == rows[i]
    assert frontier.root() == roots[size + more]
