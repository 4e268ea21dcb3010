"""C2SP signed notes with Ed25519, tlog checkpoints and tlog proofs: the formats that an auditor's own tools read.

Sources: C2SP signed-note v1 (key type 0x01), tlog-checkpoint v1, tlog-proof v1. Private keys stay outside: signing is a
callable.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_wallet.core.merkle import HASH_BYTES

ED25519: Final = 0x01
NOTE_CHARACTERS_MAX: Final = 65_536
SIGNATURES_MAX: Final = 16
PROOF_HASHES_MAX: Final = 63
PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"
_KEY_ID_BYTES: Final = 4
_SIGNATURE_BYTES: Final = 64
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME = re.compile(r"[!-*,-~]+")
"""Key names: visible ASCII without plus; the specification also allows other scripts, which we never issue."""


class NoteInvalid(Exception):  # noqa: N818  says what the note is
    """A note, checkpoint, proof or verifier key is malformed, or nobody known signed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A log's size and root: what a signed note commits to."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """Return the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key by the name it signs under."""

    name: str
    key_id: bytes
    public_key: bytes


def parse_checkpoint(body: str) -> Checkpoint:
    """Return the checkpoint of a note's body; `NoteInvalid` unless it is exactly three canonical lines."""
    lines = body.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0] or _DECIMAL.fullmatch(lines[1]) is None:  # noqa: PLR2004
        raise NoteInvalid("the checkpoint is not origin, size and root")
    root = _unb64(lines[2])
    if len(root) != HASH_BYTES or _b64(root) != lines[2]:
        raise NoteInvalid("the checkpoint's root is not a SHA-256 hash")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def verifier_key(name: str, public_key: bytes) -> str:
    """Return `name+hash+key`, the text by which a verifier knows an Ed25519 key."""
    if _NAME.fullmatch(name) is None:
        raise NoteInvalid("a key name is visible ASCII without space and plus")
    return f"{name}+{_key_id(name, public_key).hex()}+{_b64(bytes([ED25519]) + public_key)}"


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key of a verifier key text; `NoteInvalid` when its hash does not fit."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or _NAME.fullmatch(parts[0]) is None:  # noqa: PLR2004
        raise NoteInvalid("a verifier key is `name+hash+key`")
    name, digest, encoded = parts
    key = _unb64(encoded)
    if len(key) != 1 + HASH_BYTES or key[0] != ED25519:
        raise NoteInvalid("the verifier key is not an Ed25519 key")
    found = VerifierKey(name=name, key_id=_key_id(name, key[1:]), public_key=key[1:])
    if found.key_id.hex() != digest:
        raise NoteInvalid("the verifier key's hash does not fit its key")
    return found


def sign_note(body: str, name: str, *, sign: Callable[[bytes], bytes], public_key: bytes) -> str:
    """Return the signed note of a body that ends with a newline."""
    if not body.endswith("\n") or "\n\n" in body:
        raise NoteInvalid("a note's text ends with one newline and has no empty line")
    signature = _key_id(name, public_key) + sign(body.encode())
    return f"{body}\n— {name} {_b64(signature)}\n"


def open_note(note: str, keys: Iterable[VerifierKey]) -> str:
    """Return the body of a note that at least one known key signed.

    Signatures by unknown keys are ignored, as the specification says; a bad one by a known key is refused.

    Raises:
        NoteInvalid: When it is malformed, unsigned by every known key, or badly signed by one.
    """
    body, signatures = _split_note(note)
    known = {(key.name, key.key_id): key for key in keys}
    signed = False
    for name, signature in signatures:
        key = known.get((name, signature[:_KEY_ID_BYTES]))
        if key is None:
            continue
        _verify(key, signature[_KEY_ID_BYTES:], body)
        signed = True
    if not signed:
        raise NoteInvalid("no known key signed this note")
    return body


def format_proof(index: int, hashes: Sequence[bytes], note: str) -> str:
    """Return a tlog-proof: the inclusion proof of one leaf and the checkpoint that it leads to."""
    return f"{PROOF_HEADER}\nindex {index}\n" + "".join(f"{_b64(h)}\n" for h in hashes) + f"\n{note}"


def parse_proof(text: str) -> tuple[int, tuple[bytes, ...], str]:
    """Return index, hashes and checkpoint note of a tlog-proof; `NoteInvalid` when malformed."""
    head, separator, note = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines[0] != PROOF_HEADER:
        raise NoteInvalid("this is not a tlog-proof of version 1")
    lines = [line for line in lines[1:] if not line.startswith("extra ")]
    prefix, _, number = (lines or [""])[0].partition(" ")
    if prefix != "index" or _DECIMAL.fullmatch(number) is None or len(lines) > PROOF_HASHES_MAX + 1:
        raise NoteInvalid("the proof has no index or too many hashes")
    hashes = tuple(_unb64(line) for line in lines[1:])
    if any(len(h) != HASH_BYTES for h in hashes):
        raise NoteInvalid("the proof holds something that is not a hash")
    return int(number), hashes, note


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > NOTE_CHARACTERS_MAX or any(c < " " and c != "\n" for c in note):
        raise NoteInvalid("the note is too long or holds control characters")
    body, separator, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not separator or not body or lines[-1] or not 1 <= len(lines) - 1 <= SIGNATURES_MAX:
        raise NoteInvalid("the note has no signatures")
    return body + "\n", [_signature_of(line) for line in lines[:-1]]


def _signature_of(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    signature = _unb64(encoded)
    if dash != "—" or not name or len(signature) <= _KEY_ID_BYTES:
        raise NoteInvalid("a signature line is malformed")
    return name, signature


def _verify(key: VerifierKey, signature: bytes, body: str) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  heavy at start-up, needed by verifiers only
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, body.encode())
    except InvalidSignature as error:
        message = f"the signature of {key.name} does not fit the note"
        raise NoteInvalid(message) from error


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + public_key).digest()[:_KEY_ID_BYTES]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteInvalid("something that should be base64 is not") from error
