"""What verification found: bounded, each with the place where it stands."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.core.canonical import Json

SHOWN_MAX: Final = 20
"""Findings of one kind that are kept; all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it must be.

    Args:
        kind: `edited inserted missing malformed sequence time tree rewritten truncated checkpoint anchor_missing
            no_checkpoint unverified_key damaged`.
        sequence: The event that is bad, or the first one that can be; None when it is about no event.
        last: The last event that can be bad; equal to `sequence` when it is exactly that one.
        anchor: The place whose checkpoint says so: an anchor's name, or `ledger` for the checkpoints stored there.
    """

    kind: str
    message: str
    sequence: int | None = None
    last: int | None = None
    anchor: str = ""

    def document(self) -> dict[str, Json]:
        """Return the finding for `--json`."""
        return {
            "kind": self.kind,
            "sequence": self.sequence,
            "lastSequence": self.last,
            "anchor": self.anchor or None,
            "message": self.message,
        }


@dataclass(slots=True)
class Findings:
    """All findings of one verification."""

    shown: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _exact: set[int] = field(default_factory=set)
    _spans: list[tuple[int, int]] = field(default_factory=list)

    def add(
        self, kind: str, message: str, *, sequence: int | None = None, last: int | None = None, anchor: str = ""
    ) -> None:
        """Count a finding and keep the first of its kind."""
        self.counts[kind] += 1
        if self.counts[kind] > SHOWN_MAX:
            return
        last = sequence if last is None else last
        self.shown.append(Finding(kind=kind, message=message, sequence=sequence, last=last, anchor=anchor))
        if sequence is None or last is None:
            return
        if sequence == last:
            self._exact.add(sequence)
        else:
            self._spans.append((sequence, last))

    def first_bad(self) -> int | None:
        """Return the lowest event that is bad; a stretch counts only where nothing smaller within it explains it."""
        found = {(bad, bad) for bad in self._exact} | set(self._spans)
        smallest = {
            low
            for low, high in found
            if not any(low <= first and last <= high and (first, last) != (low, high) for first, last in found)
        }
        return min(smallest, default=None)
