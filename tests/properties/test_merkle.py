"""For all trees and all notes: what is true can be shown, nothing else can, and printing is undone by parsing."""

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet.core.merkle import (
    HASH_BYTES,
    Frontier,
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from mcp_wallet.core.notes import (
    COUNT_MAX,
    PROOF_HASHES_MAX,
    Checkpoint,
    NoteInvalid,
    TlogProof,
    format_proof,
    open_note,
    parse_checkpoint,
    parse_proof,
    parse_verifier_key,
    sign_note,
    verifier_key,
)

SIZE_MAX = 2_000


def build(size: int) -> tuple[list[bytes], list[bytes]]:
    frontier = Frontier.empty()
    rows, roots = [], [frontier.root()]
    for index in range(size):
        rows.append(frontier.append(leaf_hash(b"%d" % index)))
        roots.append(frontier.root())
    return rows, roots


ROWS, ROOTS = build(SIZE_MAX)
read = ROWS.__getitem__
sizes = st.integers(1, SIZE_MAX)
hashes = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES)


@st.composite
def two_sizes(draw: st.DrawFn) -> tuple[int, int]:
    size2 = draw(sizes)
    return draw(st.integers(1, size2)), size2


@st.composite
def broken(draw: st.DrawFn, proof: tuple[bytes, ...]) -> list[bytes]:
    """Return another proof: a bit flipped, a hash gone, doubled, cut or added."""
    changed = list(proof)
    how = draw(st.sampled_from(["flip", "drop", "double", "cut"])) if proof else "add"
    at = draw(st.integers(0, max(0, len(proof) - 1)))
    if how == "add":
        changed.append(draw(hashes))
    elif how == "drop":
        del changed[at]
    elif how == "double":
        changed.insert(at, changed[at])
    elif how == "cut":
        changed[at] = changed[at][: draw(st.integers(0, HASH_BYTES - 1))]
    else:
        bit = draw(st.integers(0, HASH_BYTES * 8 - 1))
        changed[at] = (int.from_bytes(changed[at], "big") ^ (1 << bit)).to_bytes(HASH_BYTES, "big")
    return changed


@given(sizes, st.data())
def test_every_leaf_can_be_shown_and_nothing_else_in_its_place(size: int, data: st.DataObject):
    index = data.draw(st.integers(0, size - 1))
    proof, leaf = inclusion_proof(index, size, read), leaf_hash(b"%d" % index)
    verify_inclusion(index=index, size=size, leaf=leaf, proof=proof, root=ROOTS[size])
    with pytest.raises(ProofInvalid):
        verify_inclusion(index=index, size=size, leaf=data.draw(hashes), proof=proof, root=ROOTS[size])
    with pytest.raises(ProofInvalid):
        verify_inclusion(index=index, size=size, leaf=leaf, proof=data.draw(broken(proof)), root=ROOTS[size])


@given(two_sizes(), st.data())
def test_every_prefix_can_be_shown_and_no_other_past(pair: tuple[int, int], data: st.DataObject):
    size1, size2 = pair
    proof = consistency_proof(size1, size2, read)
    verify_consistency(size1=size1, size2=size2, root1=ROOTS[size1], root2=ROOTS[size2], proof=proof)
    with pytest.raises(ProofInvalid):
        verify_consistency(size1=size1, size2=size2, root1=data.draw(hashes), root2=ROOTS[size2], proof=proof)
    with pytest.raises(ProofInvalid):
        verify_consistency(
            size1=size1, size2=size2, root1=ROOTS[size1], root2=ROOTS[size2], proof=data.draw(broken(proof))
        )


@given(st.integers(0, SIZE_MAX), st.integers(0, 60))
def test_a_loaded_frontier_goes_on_as_if_it_had_never_stopped(size: int, more: int):
    frontier = Frontier.load(size, read)
    assert (frontier.size, frontier.root()) == (size, ROOTS[size])
    for index in range(size, min(size + more, SIZE_MAX)):
        assert frontier.append(leaf_hash(b"%d" % index)) == ROWS[index]
        assert frontier.root() == ROOTS[index + 1] == root_at(index + 1, read)


@given(two_sizes(), st.data())
def test_what_is_in_a_prefix_is_at_the_same_place_in_the_whole(pair: tuple[int, int], data: st.DataObject):
    size1, size2 = pair
    index = data.draw(st.integers(0, size1 - 1))
    for size in (size1, size2):
        proof = inclusion_proof(index, size, read)
        verify_inclusion(index=index, size=size, leaf=leaf_hash(b"%d" % index), proof=proof, root=ROOTS[size])


# ------------------------------------------------------------------------------------------------------------- notes

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
characters = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(code) for code in range(32)])
lines = st.text(characters, min_size=1)
names = lines.filter(lambda name: "+" not in name and not any(character.isspace() for character in name))
counts = st.integers(0, COUNT_MAX)
checkpoints = st.builds(Checkpoint, origin=lines, size=counts, root=hashes)


@given(checkpoints)
def test_a_printed_checkpoint_is_read_back(checkpoint: Checkpoint):
    assert parse_checkpoint(checkpoint.body()) == checkpoint


@given(st.text())
def test_a_text_that_opens_as_a_checkpoint_is_the_only_one_that_says_so(text: str):
    for body in (text, f"o\n{text}\n{'A' * 43}=\n", f"o\n1\n{text}\n"):
        try:
            found = parse_checkpoint(body)
        except NoteInvalid:
            continue
        assert found.body() == body


@given(names, st.binary(min_size=32, max_size=32))
def test_a_printed_verifier_key_is_read_back(name: str, public_key: bytes):
    text = verifier_key(name, public_key)
    found = parse_verifier_key(text)
    assert (found.name, found.public_key) == (name, public_key)
    assert verifier_key(found.name, found.public_key) == text


@given(st.lists(st.text(characters), min_size=1).filter(any), names)
def test_a_signed_text_opens_as_it_was_and_under_no_other_name(text: list[str], name: str):
    body = "".join(f"{line}\n" for line in text)
    note = sign_note(body, name, sign=KEY.sign, public_key=PUBLIC)
    assert open_note(note, [parse_verifier_key(verifier_key(name, PUBLIC))]) == body
    with pytest.raises(NoteInvalid):
        open_note(note, [parse_verifier_key(verifier_key(name + "x", PUBLIC))])


@given(checkpoints, st.data())
def test_a_note_with_any_character_changed_is_refused(checkpoint: Checkpoint, data: st.DataObject):
    note = sign_note(checkpoint.body(), "log", sign=KEY.sign, public_key=PUBLIC)
    at = data.draw(st.integers(0, len(note) - 1))
    changed = data.draw(st.characters().filter(lambda character: character != note[at]))
    with pytest.raises(NoteInvalid):
        open_note(note[:at] + changed + note[at + 1 :], [parse_verifier_key(verifier_key("log", PUBLIC))])


@given(st.text(), st.text())
def test_no_text_makes_a_reader_stumble(text: str, other: str):
    for read_text in (
        lambda: open_note(f"{text}\n\n— {other}\n", [parse_verifier_key(verifier_key("log", PUBLIC))]),
        lambda: parse_verifier_key(f"{text}+00000000+{other}"),
        lambda: parse_proof(f"c2sp.org/tlog-proof@v1\n{text}\n\n{other}"),
        lambda: parse_checkpoint(f"{text}\n{other}\n"),
    ):
        with suppress(NoteInvalid):
            read_text()


@given(
    st.builds(
        TlogProof,
        index=counts,
        hashes=st.lists(hashes, max_size=PROOF_HASHES_MAX).map(tuple),
        note=st.text(characters | st.just("\n"), min_size=1),
        extra=st.none() | st.binary(min_size=1),
    )
)
def test_a_printed_proof_is_read_back(proof: TlogProof):
    assert parse_proof(format_proof(proof.index, proof.hashes, proof.note, proof.extra)) == proof
