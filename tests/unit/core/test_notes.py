"""Notes: the specifications' examples, what is refused and why, and the bounds of what is made."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_wallet.core.merkle import leaf_hash
from mcp_wallet.core.notes import (
    COUNT_MAX,
    NOTE_BYTES_MAX,
    PROOF_BYTES_MAX,
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

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "notes.json").read_text("utf-8"))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
NAME = "mcp-wallet/org_1/log_1"
CHECKPOINT = Checkpoint(origin=NAME, size=42, root=leaf_hash(b"root"))
KNOWN = parse_verifier_key(verifier_key(NAME, PUBLIC))
HASH = leaf_hash(b"a")


def signed(body: str = CHECKPOINT.body(), name: str = NAME) -> str:
    return sign_note(body, name, sign=KEY.sign, public_key=PUBLIC)


# ------------------------------------------------------------------------------------------------------- the vectors


def hexed(raw: bytes) -> str:
    return "0x" + raw.hex()


def answer(given: dict[str, Any]) -> dict[str, object]:
    match given["kind"]:
        case "open":
            return {"body": open_note(given["note"], [parse_verifier_key(key) for key in given["keys"]])}
        case "key":
            key = parse_verifier_key(given["text"])
            return {"name": key.name, "keyId": hexed(key.key_id), "publicKey": hexed(key.public_key)}
        case "checkpoint":
            checkpoint = parse_checkpoint(given["body"])
            return {"origin": checkpoint.origin, "size": str(checkpoint.size), "root": hexed(checkpoint.root)}
        case "proof":
            proof = parse_proof(given["text"])
            extra = None if proof.extra is None else hexed(proof.extra)
            hashes = [hexed(found) for found in proof.hashes]
            return {"index": str(proof.index), "hashes": hashes, "extra": extra, "note": proof.note}
        case "sign":
            private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(given["seed"][2:]))
            public_key = private.public_key().public_bytes_raw()
            note = sign_note(given["body"], given["name"], sign=private.sign, public_key=public_key)
            return {"note": note, "key": verifier_key(given["name"], public_key)}
        case other:
            pytest.fail(f"unexpected {other!r}")


def test_every_vector_has_an_id_of_its_own():
    assert len({vector["id"] for vector in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize("vector", [v for v in VECTORS if "says" not in v["expected"]], ids=lambda v: v["id"])
def test_what_others_wrote_is_read_and_what_we_write_stays(vector: dict[str, Any]):
    assert answer(vector["input"]) == vector["expected"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if "says" in v["expected"]], ids=lambda v: v["id"])
def test_anything_else_is_refused_with_its_reason(vector: dict[str, Any]):
    with pytest.raises(NoteInvalid) as problem:
        answer(vector["input"])
    assert vector["expected"]["says"] in str(problem.value)
    assert "\n" not in str(problem.value)


# ------------------------------------------------------------------------------------------------------------ bounds


def test_a_note_is_bounded_in_bytes_not_in_characters():
    for padding in ("x" * NOTE_BYTES_MAX, "é" * (NOTE_BYTES_MAX // 2)):
        with pytest.raises(NoteInvalid, match="too long"):
            open_note(f"{padding}\n{signed()}", [KNOWN])


def test_sixteen_signatures_of_the_largest_kind_fit():
    large = "— witness.example/pq " + "A" * 6_668 + "\n"
    assert open_note(signed() + large * 15, [KNOWN]) == CHECKPOINT.body()


def test_a_signer_leaves_half_of_the_note_to_other_signatures():
    longest = "x" * (NOTE_BYTES_MAX // 2 - len(NAME) - 1) + "\n"
    assert open_note(signed(longest), [KNOWN]) == longest
    with pytest.raises(NoteInvalid, match="too long"):
        signed("x" + longest)


def test_a_proof_is_bounded_both_ways():
    with pytest.raises(NoteInvalid, match="too long"):
        format_proof(0, (), signed(), b"x" * PROOF_BYTES_MAX)
    with pytest.raises(NoteInvalid, match="too long"):
        parse_proof(format_proof(0, (), signed()) + "é" * (PROOF_BYTES_MAX // 2))


def test_two_keys_that_no_signature_line_could_tell_apart_are_refused():
    with pytest.raises(NoteInvalid, match="share"):
        open_note(signed(), [KNOWN, replace(KNOWN, public_key=bytes(32))])


def test_a_key_made_by_hand_with_another_length_opens_nothing():
    with pytest.raises(NoteInvalid, match="does not fit"):
        open_note(signed(), [replace(KNOWN, public_key=PUBLIC[:31])])


# ------------------------------------------------------------------------------ nothing is made that nobody could read


@pytest.mark.parametrize("body", ["", "\n", "no newline", "a\r\n", "a\x00\n", "\ud800\n"])
def test_a_text_that_could_not_be_opened_is_never_signed(body: str):
    def sign(_: bytes) -> bytes:
        pytest.fail("the key was used")

    with pytest.raises(NoteInvalid):
        sign_note(body, NAME, sign=sign, public_key=PUBLIC)


@pytest.mark.parametrize("name", ["", " ", "a b", "a+b", "a\nb", "a\u2003b", "a\x00", "\ud800"])
def test_a_name_that_could_not_be_read_names_no_key(name: str):
    with pytest.raises(NoteInvalid):
        signed(name=name)
    with pytest.raises(NoteInvalid):
        verifier_key(name, PUBLIC)


def test_a_signer_that_returns_something_else_is_refused():
    with pytest.raises(NoteInvalid, match="64 bytes"):
        sign_note("a\n", NAME, sign=lambda _: b"", public_key=PUBLIC)


def test_a_public_key_of_another_length_is_refused():
    with pytest.raises(NoteInvalid, match="32 bytes"):
        verifier_key(NAME, PUBLIC[:31])


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": ""},
        {"origin": "a\nb"},
        {"origin": "a\rb"},
        {"origin": "\ud800"},
        {"size": -1},
        {"size": COUNT_MAX + 1},
        {"root": b""},
        {"root": bytes(33)},
    ],
)
def test_a_checkpoint_that_could_not_be_read_back_is_never_made(changes: dict[str, Any]):
    with pytest.raises(NoteInvalid):
        replace(CHECKPOINT, **changes)


@pytest.mark.parametrize(
    ("index", "hashes", "note"),
    [
        (-1, (), "note"),
        (COUNT_MAX + 1, (), "note"),
        (0, (), ""),
        (0, (), "\x00"),
        (0, (b"",), "note"),
        (0, (HASH,) * 64, "note"),
    ],
)
def test_a_proof_that_could_not_be_read_back_is_never_written(index: int, hashes: tuple[bytes, ...], note: str):
    with pytest.raises(NoteInvalid):
        format_proof(index, hashes, note)


def test_empty_extra_data_leaves_no_line():
    assert format_proof(7, (HASH,), signed(), b"") == format_proof(7, (HASH,), signed())
