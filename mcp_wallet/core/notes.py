"""C2SP signed notes with Ed25519, tlog checkpoints and tlog proofs: the formats that an auditor's own tools read.

Sources: C2SP signed-note v1 (key type 0x01), tlog-checkpoint v1, tlog-proof v1. Private keys stay outside: signing is a
callable. Reading is strict where the specifications leave room: base64 and numbers only in their one canonical
spelling, checkpoints without extension lines, so that each text that opens is the only text that says so. All that is
wrong raises `NoteInvalid`.
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
NOTE_BYTES_MAX: Final = 131_072
"""Sixteen signatures of 5 kB each fit, as the specification demands."""
SIGNATURES_MAX: Final = 16
PROOF_HASHES_MAX: Final = 63
PROOF_BYTES_MAX: Final = 262_144
COUNT_MAX: Final = (1 << 63) - 1
"""Largest size or index: other implementations count in signed 64-bit integers, and so do our rows."""
PROOF_HEADER: Final = "c2sp.org/tlog-proof@v1"
_KEY_ID_BYTES: Final = 4
_PUBLIC_KEY_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")
_NOT_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
"""Key names: no plus and no Unicode space, as the specification says, and nothing that a note may not hold."""


class NoteInvalid(Exception):  # noqa: N818  says what the note is
    """A note, checkpoint, proof or verifier key is malformed, or nobody known signed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A log's size and root: what a signed note commits to.

    Attributes:
        origin: The log's name, one line.
        size: Number of leaves, 0 to 2**63 - 1.
        root: 32 bytes.

    Raises:
        NoteInvalid: When a field is not so: no checkpoint is made that could not be read back.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin or not _is_text(self.origin):
            raise NoteInvalid("the checkpoint's origin is not one line of text")
        if not 0 <= self.size <= COUNT_MAX:
            raise NoteInvalid("the checkpoint's size is not a number of leaves")
        if len(self.root) != HASH_BYTES:
            raise NoteInvalid("the checkpoint's root is not a SHA-256 hash")

    def body(self) -> str:
        """Return the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """An Ed25519 public key by the name it signs under.

    Attributes:
        name: Without space and plus.
        key_id: 4 bytes, derived from name and key: `parse_verifier_key` refuses any other.
        public_key: 32 bytes.
    """

    name: str
    key_id: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """A leaf's place in a log, for whoever holds the leaf and the log's key.

    Attributes:
        index: Of the leaf, from 0.
        hashes: The inclusion proof, lowest sibling first.
        note: The checkpoint, still sealed: nothing in it is known before `open_note`.
        extra: What came along, or None; authenticated by nobody.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: str
    extra: bytes | None = None


def parse_checkpoint(body: str) -> Checkpoint:
    """Return the checkpoint of a note's body; `NoteInvalid` unless it is exactly three canonical lines."""
    lines = body.split("\n")
    if len(lines) != 4 or lines[3]:  # noqa: PLR2004  three lines and what follows the last newline
        raise NoteInvalid("the checkpoint is not origin, size and root")
    return Checkpoint(origin=lines[0], size=_count(lines[1]), root=_unb64(lines[2]))


def verifier_key(name: str, public_key: bytes) -> str:
    """Return `name+hash+key`, the text by which a verifier knows an Ed25519 key of 32 bytes.

    Raises:
        NoteInvalid: For a name with a space or plus in it, or a key of another length.
    """
    return f"{name}+{_key_id(name, public_key).hex()}+{_b64(bytes([ED25519]) + public_key)}"


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key of a verifier key text, white space around it aside.

    Raises:
        NoteInvalid: When it is malformed, of another type than Ed25519, or its hash does not fit.
    """
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or _KEY_ID.fullmatch(parts[1]) is None:  # noqa: PLR2004
        raise NoteInvalid("a verifier key is `name+hash+key`")
    name, digest, encoded = parts
    key = _unb64(encoded)
    if key[:1] != bytes([ED25519]):
        raise NoteInvalid("the verifier key is not an Ed25519 key")
    found = VerifierKey(name=name, key_id=_key_id(name, key[1:]), public_key=key[1:])
    if found.key_id.hex() != digest:
        raise NoteInvalid("the verifier key's hash does not fit its key")
    return found


def sign_note(body: str, name: str, *, sign: Callable[[bytes], bytes], public_key: bytes) -> str:
    """Return the note of a text, signed once.

    Args:
        body: Text that ends with a newline.
        name: The key's.
        sign: Ed25519 over the text's UTF-8 bytes; called only for a note that would open.
        public_key: The 32 bytes that `sign` belongs to.

    Raises:
        NoteInvalid: When text, name or key cannot stand in a note, or the signature is not 64 bytes.
    """
    key_id = _key_id(name, public_key)
    if not body.endswith("\n") or body == "\n" or not _is_text(body):
        raise NoteInvalid("a note's text is some lines, each ended, without control characters")
    if len((name + body).encode()) > NOTE_BYTES_MAX // 2:
        raise NoteInvalid("the note's text is too long: half of a note is kept for signatures")
    signature = sign(body.encode())
    if len(signature) != _SIGNATURE_BYTES:
        raise NoteInvalid("an Ed25519 signature has 64 bytes")
    return f"{body}\n— {name} {_b64(key_id + signature)}\n"


def open_note(note: str, keys: Iterable[VerifierKey]) -> str:
    """Return the body of a note that at least one known key signed.

    Signatures by unknown keys are ignored, as the specification says; a bad one by a known key is refused, even beside
    a good one.

    Raises:
        NoteInvalid: When it is malformed, unsigned by every known key, or badly signed by one.
    """
    body, signatures = _split_note(note)
    known = _by_name(keys)
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


def format_proof(index: int, hashes: Sequence[bytes], note: str, extra: bytes | None = None) -> str:
    """Return a tlog-proof: the inclusion proof of one leaf and the checkpoint that it leads to.

    Args:
        index: The leaf's, from 0.
        hashes: Lowest sibling first, 32 bytes each.
        note: The signed checkpoint, taken as it is.
        extra: Bytes to carry along, signed by nobody; empty ones leave no line, as the specification says.

    Raises:
        NoteInvalid: When the text could not be read back.
    """
    if not 0 <= index <= COUNT_MAX or not note or not _is_text(note):
        raise NoteInvalid("a proof has an index and a checkpoint")
    _check_path(hashes)
    head = [PROOF_HEADER, *([f"extra {_b64(extra)}"] if extra else []), f"index {index}", *map(_b64, hashes)]
    text = "\n".join(head) + f"\n\n{note}"
    if len(text.encode()) > PROOF_BYTES_MAX:
        raise NoteInvalid("the proof is too long")
    return text


def parse_proof(text: str) -> TlogProof:
    """Return the proof of a tlog-proof text; its checkpoint is neither opened nor trusted.

    Raises:
        NoteInvalid: When it is malformed.
    """
    if len(text) > PROOF_BYTES_MAX or not _is_text(text) or len(text.encode()) > PROOF_BYTES_MAX:
        raise NoteInvalid("the proof is too long or holds control characters")
    head, _, note = text.partition("\n\n")
    header, *lines = head.split("\n")
    if header != PROOF_HEADER or not note:
        raise NoteInvalid("this is not a tlog-proof of version 1 with its checkpoint")
    extra = _unb64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index ") or extra == b"":
        raise NoteInvalid("the proof is not extra, index and hashes, in this order")
    hashes = tuple(_unb64(line) for line in lines[1:])
    _check_path(hashes)
    return TlogProof(index=_count(lines[0].removeprefix("index ")), hashes=hashes, note=note, extra=extra)


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > NOTE_BYTES_MAX or not _is_text(note) or len(note.encode()) > NOTE_BYTES_MAX:
        raise NoteInvalid("the note is too long or holds control characters")
    body, separator, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not separator or not body or lines[-1] or not 1 <= len(lines) - 1 <= SIGNATURES_MAX:
        raise NoteInvalid("the note has no text, or no signatures, or too many")
    return body + "\n", [_signature_of(line) for line in lines[:-1]]


def _signature_of(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—" or _NAME.fullmatch(name) is None:
        raise NoteInvalid("a signature line is not `— name signature`")
    signature = _unb64(encoded)
    if len(signature) <= _KEY_ID_BYTES:
        raise NoteInvalid("a signature line holds no signature")
    return name, signature


def _by_name(keys: Iterable[VerifierKey]) -> dict[tuple[str, bytes], VerifierKey]:
    """Return the keys by what a signature line says of them; two that share it could not be told apart."""
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise NoteInvalid("two known keys share one name and hash")
    return known


def _verify(key: VerifierKey, signature: bytes, body: str) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  heavy at start-up, needed by verifiers only
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, body.encode())
    except (InvalidSignature, ValueError) as error:  # ValueError: a key made by hand with another length
        message = f"the signature of {key.name} does not fit the note"
        raise NoteInvalid(message) from error


def _key_id(name: str, public_key: bytes) -> bytes:
    """Return the first 4 bytes of SHA-256(name || newline || type || key)."""
    if _NAME.fullmatch(name) is None or not _is_text(name):
        raise NoteInvalid("a key name is not empty and has no space and no plus")
    if len(public_key) != _PUBLIC_KEY_BYTES:
        raise NoteInvalid("an Ed25519 public key has 32 bytes")
    return hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + public_key).digest()[:_KEY_ID_BYTES]


def _check_path(hashes: Sequence[bytes]) -> None:
    if len(hashes) > PROOF_HASHES_MAX:
        raise NoteInvalid("the proof has too many hashes")
    if any(len(found) != HASH_BYTES for found in hashes):
        raise NoteInvalid("the proof holds something that is not a SHA-256 hash")


def _count(text: str) -> int:
    if _DECIMAL.fullmatch(text) is None or int(text) > COUNT_MAX:
        raise NoteInvalid("a size or index is not a canonical decimal below 2**63")
    return int(text)


def _is_text(text: str) -> bool:
    """Return whether this is what a note may hold: newlines, no other ASCII control character, no lone surrogate."""
    return _NOT_TEXT.search(text) is None


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str) -> bytes:
    """Return the bytes of canonical standard base64: one spelling for each value."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteInvalid("something that should be base64 is not") from error
    if _b64(found) != text:
        raise NoteInvalid("a base64 text is not spelt canonically")
    return found
