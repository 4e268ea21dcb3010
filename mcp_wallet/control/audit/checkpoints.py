"""The signed checkpoints that a trail is held against: those stored beside it, and those that its anchors keep."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.control.audit.findings import Findings
from mcp_wallet.core.notes import Checkpoint, NoteInvalid, VerifierKey, open_note, parse_checkpoint

LEDGER: Final = "ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorNotes:
    """What one anchor holds, oldest first, of whatever log."""

    name: str
    notes: Sequence[str]


@dataclass(slots=True)
class Expected:
    """Which roots the trail must have, by size, and who says so.

    Args:
        verified: Checkpoints whose signature was checked with the verifier's key.
        newest: Per source, the largest size that it speaks of.
    """

    roots: dict[int, list[tuple[str, bytes]]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    verified: int = 0
    _seen: dict[str, Checkpoint | None] = field(default_factory=dict)

    def gather(
        self,
        stored: Iterable[tuple[int, str]],
        anchors: Sequence[AnchorNotes],
        *,
        key: VerifierKey | None,
        origin: str,
        findings: Findings,
    ) -> None:
        """Read all checkpoints; those that are not what they say become findings, never expectations.

        Args:
            stored: Size and note of those beside the trail.
            key: The verifier's; without it notes are read but prove nothing.
            origin: The log's name; notes of other logs in an anchor are not ours. Empty: any.
        """
        for size, note in stored:
            found = self._open(note, key)
            if found is None or found.size != size or (origin and found.origin != origin):
                message = f"The checkpoint stored for {size} events is not one that this log's key signed."
                findings.add("checkpoint", message, anchor=LEDGER)
            else:
                self._expect(found, LEDGER)
        for anchor in anchors:
            self._gather_anchor(anchor, key=key, origin=origin, findings=findings)
        self._seen.clear()

    def _gather_anchor(self, anchor: AnchorNotes, *, key: VerifierKey | None, origin: str, findings: Findings) -> None:
        for note in anchor.notes:
            if origin and not note.startswith(f"{origin}\n"):
                continue
            found = self._open(note, key)
            if found is None:
                message = f"The anchor `{anchor.name}` holds a checkpoint that this log's key did not sign."
                findings.add("checkpoint", message, anchor=anchor.name)
            else:
                self._expect(found, anchor.name)
        if LEDGER in self.newest and anchor.name not in self.newest:
            message = f"The anchor `{anchor.name}` has no checkpoint of this log, though the ledger published some."
            findings.add("anchor_missing", message, anchor=anchor.name)

    def _open(self, note: str, key: VerifierKey | None) -> Checkpoint | None:
        """Return the checkpoint of a note, verified when there is a key; each text is verified once."""
        if note in self._seen:
            return self._seen[note]
        try:
            body = note.rpartition("\n\n")[0] + "\n" if key is None else open_note(note, [key])
            found: Checkpoint | None = parse_checkpoint(body)
        except NoteInvalid:
            found = None
        self.verified += key is not None and found is not None
        self._seen[note] = found
        return found

    def _expect(self, found: Checkpoint, source: str) -> None:
        self.roots.setdefault(found.size, []).append((source, found.root))
        self.newest[source] = max(found.size, self.newest.get(source, 0))
