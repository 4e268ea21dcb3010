"""One payment, provable to anybody who holds the log's verifier key: its events, what they rest on, one checkpoint."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import orjson

from mcp_wallet.control.audit.trail import Trail
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.merkle import inclusion_proof, leaf_hash, root_at, verify_inclusion
from mcp_wallet.core.notes import format_proof
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Head

FORMAT: Final = "mcp-wallet/payment-proof/v1"


def head_of(trail: Trail, size: int | None = None) -> Head:
    """Return size and root of the snapshot, or of its first `size` events, from the stored hashes.

    Raises:
        ProofInvalid: Where the tree has a hole.
    """
    size = trail.size() if size is None else size
    return Head(size=size, root=root_at(size, _hashes_of(trail)))


def prove_payment(trail: Trail, payment_id: str, *, head: Head, note: str) -> dict[str, Json]:
    """Return the proof document of a payment.

    Args:
        head: The snapshot's, that `note` signs.
        note: A signed checkpoint of it.

    Raises:
        CallerError: `PAYMENT_UNKNOWN`.
        ProofInvalid: When an event of the payment is not the one that the tree holds.
    """
    rows = list(trail.payment_rows(payment_id))
    if not rows:
        sentence = f"No event names the payment `{payment_id[:80]}`: `mcp-wallet payments list` shows the recent ones."
        raise CallerError(ReasonCode.PAYMENT_UNKNOWN, sentence)
    read = _hashes_of(trail)
    events: list[Json] = []
    for sequence, _, body in rows:
        path = inclusion_proof(sequence, head.size, read)
        verify_inclusion(index=sequence, size=head.size, leaf=leaf_hash(body), proof=path, root=head.root)
        events.append({"sequence": sequence, "body": body.decode(), "proof": format_proof(sequence, path, note)})
    return {
        "format": FORMAT,
        "paymentId": payment_id,
        "checkpoint": note,
        "events": events,
        "policies": dict(_documents(rows, "policy", trail.policy_text)),
        "settings": dict(_documents(rows, "settings", trail.settings_text)),
        "signedTransaction": trail.signed_bytes(payment_id).hex(),
    }


def _hashes_of(trail: Trail) -> Callable[[int], bytes]:
    def read(sequence: int) -> bytes:
        row = trail.row(sequence)
        return b"" if row is None else row[1]

    return read


def _documents(
    rows: list[tuple[int, bytes, bytes]], name: str, read: Callable[[str], str | None]
) -> Iterator[tuple[str, Json]]:
    """Yield hash and document of each policy or settings that a decision names and that is still kept."""
    for _, _, body in rows:
        named = orjson.loads(body).get(name)
        digest = named.get("hash") if isinstance(named, Mapping) else None
        text = read(digest) if isinstance(digest, str) else None
        if isinstance(digest, str) and text is not None:
            yield digest, orjson.loads(text)
