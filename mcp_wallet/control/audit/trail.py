"""What auditing reads: one snapshot of a ledger, without any power to change it."""

from collections.abc import Iterator
from typing import Protocol, TypeAlias

Row: TypeAlias = tuple[int, bytes, bytes]
"""Sequence, stored tree hashes (leaf first), body."""


class Trail(Protocol):
    """A snapshot of the trail and of the documents that it names. Synchronous: nothing else waits for an auditor.

    Every method raises `OutsideError(LEDGER_UNAVAILABLE)`: retryable when the ledger did not answer, not retryable when
    its file is damaged there.
    """

    def size(self) -> int:
        """Return one more than the highest sequence; 0 for an empty trail."""

    def rows(self, first: int | None = None) -> Iterator[Row]:
        """Yield the rows from this sequence on (None: whatever stands first), as they are stored."""

    def row(self, sequence: int) -> Row | None:
        """Return one row."""

    def payment_rows(self, payment_id: str) -> Iterator[Row]:
        """Yield the rows whose body names the payment, in order."""

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """Yield the stored checkpoints: size and note, smallest first."""

    def policy_text(self, digest: str) -> str | None:
        """Return the canonical text of the resolved policy that is stored under this hash, long lists by their root."""

    def policy_list(self, root: str) -> bytes | None:
        """Return the sorted addresses, 20 bytes each, of a long list that stored policies name by this Merkle root."""

    def settings_text(self, digest: str) -> str | None:
        """Return the canonical text of the settings that are stored under this hash."""

    def signed_bytes(self, payment_id: str) -> bytes:
        """Return the payment's signed transaction, empty when there is none."""

    def close(self) -> None:
        """Release the snapshot."""
