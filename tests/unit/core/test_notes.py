"""Notes: the specification's example, what is refused, and that printing and parsing are inverse."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_wallet.core.merkle import leaf_hash
from mcp_wallet.core.notes import (
    Checkpoint,
    NoteInvalid,
    format_proof,
    open_note,
    parse_checkpoint,
    parse_proof,
    parse_verifier_key,
    sign_note,
    verifier_key,
)

# The example of golang.org/x/mod/sumdb/note, whose format C2SP signed-note describes.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
NAME = "mcp-wallet/org_1/log_1"
CHECKPOINT = Checkpoint(origin=NAME, size=42, root=leaf_hash(b"root"))


def signed(*, key=KEY):
    return sign_note(CHECKPOINT.body(), NAME, sign=key.sign, public_key=key.public_key().public_bytes_raw())


def known():
    return [parse_verifier_key(verifier_key(NAME, PUBLIC))]


def test_a_note_that_another_implementation_signed_opens():
    assert open_note(PETER_NOTE, [parse_verifier_key(PETER)]).startswith("If you think")


def test_a_checkpoint_comes_back_as_it_was_signed():
    assert parse_checkpoint(open_note(signed(), known())) == CHECKPOINT


def test_a_note_of_another_key_is_not_ours():
    with pytest.raises(NoteInvalid, match="no known key"):
        open_note(signed(key=Ed25519PrivateKey.generate()), known())


def test_a_changed_body_is_refused():
    with pytest.raises(NoteInvalid, match="does not fit"):
        open_note(signed().replace("\n42\n", "\n43\n"), known())


@pytest.mark.parametrize(
    "body",
    ["", "o\n1\n", "o\n01\nAAAA\n", "o\n-1\nAAAA\n", "o\n1\nAAAA\n", "o\n1\n!!!!\n", CHECKPOINT.body() + "x\n"],
)
def test_a_checkpoint_in_another_shape_is_refused(body):
    with pytest.raises(NoteInvalid):
        parse_checkpoint(body)


@pytest.mark.parametrize("text", ["", "a+b", "name+00000000+AAAA", PETER[:-2] + "XX", PETER.replace("c74f", "c74e")])
def test_a_verifier_key_in_another_shape_is_refused(text):
    with pytest.raises(NoteInvalid):
        parse_verifier_key(text)


@pytest.mark.parametrize(
    "note", ["", "a\n", "a\n\n", "a\n\nb\n", "a\n\n— n !!\n", "a\x00\n\n— n AAAAAAAA\n", "x" * 70_000]
)
def test_a_note_in_another_shape_is_refused(note):
    with pytest.raises(NoteInvalid):
        open_note(note, known())


def test_a_proof_comes_back_as_it_was_written():
    hashes = (leaf_hash(b"a"), leaf_hash(b"b"))
    assert parse_proof(format_proof(7, hashes, signed())) == (7, hashes, signed())


@pytest.mark.parametrize(
    "text", ["", "c2sp.org/tlog-proof@v2\nindex 1\n\nnote", "c2sp.org/tlog-proof@v1\nindex 01\n\nn"]
)
def test_a_proof_in_another_shape_is_refused(text):
    with pytest.raises(NoteInvalid):
        parse_proof(text)
