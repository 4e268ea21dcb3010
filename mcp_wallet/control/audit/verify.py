"""Is the trail whole? One pass over all events, against the checkpoints and the key that the verifier brings.

(1) the sequence has no gap, (2) each body hashes to its leaf, is canonical and says its own sequence and a time that
does not go back, (3) every stored subtree hash fits, (4) the root at every checkpoint's size is the checkpoint's,
(5) no anchor has seen more than is there. Nothing is repaired, nothing is written; what is held in memory does not
grow with the trail, but for its checkpoints.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from mcp_wallet.control.audit.checkpoints import AnchorNotes, Expected
from mcp_wallet.control.audit.findings import Findings
from mcp_wallet.control.audit.trail import Row, Trail
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.errors import CallerError, OutsideError
from mcp_wallet.core.merkle import HASH_BYTES, Frontier, leaf_hash
from mcp_wallet.core.notes import NoteInvalid, VerifierKey, parse_verifier_key
from mcp_wallet.core.reasons import ReasonCode

PROGRESS_ROWS: Final = 16_384
Progress = Callable[[int, int], None]
"""Told how many events of how many are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What `audit verify` answers.

    Args:
        events: Events read.
        root: Of all of them; None when the trail has holes.
        covered: Events that the largest fitting checkpoint covers; later ones rest on nothing outside yet.
        key_verified: Whether the verifier brought the key, and every checkpoint is signed by it.
    """

    events: int
    root: bytes | None
    covered: int
    checkpoints: int
    key_verified: bool
    findings: Findings
    newest: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing was found, and the key was the verifier's own."""
        return not self.findings.counts

    def document(self) -> dict[str, Json]:
        """Return the report for `--json`."""
        return {
            "ok": self.ok,
            "events": self.events,
            "root": None if self.root is None else base64.b64encode(self.root).decode(),
            "covered": self.covered,
            "checkpoints": self.checkpoints,
            "anchors": dict(self.newest),
            "keyVerified": self.key_verified,
            "firstBadSequence": self.findings.first_bad(),
            "findings": [finding.document() for finding in self.findings.shown],
            "counts": dict(self.findings.counts),
        }


def read_key(text: str) -> VerifierKey | None:
    """Return the key that the verifier brought, None without one.

    Raises:
        CallerError: `INTENT_INVALID` when it is not a verifier key.
    """
    if not text:
        return None
    try:
        return parse_verifier_key(text)
    except NoteInvalid as error:
        sentence = "`--vkey` is not a verifier key: give it as `audit key` printed it, `name+hash+key`."
        raise CallerError(ReasonCode.INTENT_INVALID, sentence) from error


def verify_trail(
    trail: Trail,
    anchors: Sequence[AnchorNotes],
    *,
    key: VerifierKey | None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Return what a pass over the whole trail found.

    Args:
        key: The log's verifier key, from anywhere but the data; without it the report is never ok.

    Raises:
        OutsideError: The ledger did not answer; a damaged file is a finding instead.
    """
    findings, expected = Findings(), Expected()
    walk = _Walk(findings, expected)
    if key is None:
        message = "UNVERIFIED KEY: without --vkey nobody outside vouches for the checkpoints."
        findings.add("unverified_key", message)
    try:
        origin = key.name if key else origin_of(trail)
        expected.gather(trail.checkpoints(), anchors, key=key, origin=origin, findings=findings)
        walk.run(trail, progress)
        walk.finish()
    except OutsideError as error:
        if error.retryable:
            raise
        walk.whole = False
        findings.add("damaged", f"{error.message} Reading ended there.", sequence=walk.next)
    if walk.next and not expected.newest:
        findings.add("no_checkpoint", "No checkpoint covers the trail: nothing shows that it is the one that was kept.")
    return VerifyReport(
        events=walk.count,
        root=walk.frontier.root() if walk.whole else None,
        covered=walk.covered,
        checkpoints=expected.verified,
        key_verified=key is not None and expected.verified > 0 and not findings.counts["checkpoint"],
        findings=findings,
        newest=expected.newest,
    )


class _Walk:
    """The pass over the rows."""

    def __init__(self, findings: Findings, expected: Expected) -> None:
        self._findings, self._roots, self._newest = findings, expected.roots, expected.newest
        self.frontier = Frontier.empty()
        self.next, self.count, self.covered = 0, 0, 0
        self.whole = True
        self._time = ""
        self._bad_from = -1

    def run(self, trail: Trail, progress: Progress | None) -> None:
        """Check every row, and each root on the way."""
        total = trail.size() if progress else 0
        append, roots = self.frontier.append, self._roots
        for row in trail.rows():
            sequence, hashes, body = row
            if sequence != self.next:
                self._out_of_order(sequence)
            leaf = leaf_hash(body)
            if leaf != hashes[:HASH_BYTES]:
                message = f"Event {sequence} is not what was recorded: its text does not hash to its leaf."
                self._findings.add("edited", message, sequence=sequence)
                leaf = hashes[:HASH_BYTES]
            if self.whole:
                stored = append(leaf)
                if stored != hashes:
                    self._subtree(row, stored)
            self._check_body(sequence, body)
            self.next = sequence + 1
            self.count += 1
            if self.next in roots and self.whole:
                self._check_root(self.next)
            if progress and not self.count % PROGRESS_ROWS:
                progress(self.count, total)

    def finish(self) -> None:
        """Compare the end with what the anchors have seen, and name the stretches that no row explains."""
        for source, size in self._newest.items():
            if size > self.next:
                message = (
                    f"The trail ends after {self.next} events, but {source_name(source)} has a checkpoint of {size}: "
                    "its end was cut off, or an older copy was put in its place."
                )
                self._findings.add("truncated", message, sequence=self.next, anchor=source)

    def _check_body(self, sequence: int, body: bytes) -> None:
        try:
            event = orjson.loads(body)
            canonical = canonical_bytes(event) == body
            stated, time = event["sequence"], event["timestamp"]
        except (TypeError, KeyError, ValueError):
            canonical, stated, time = False, sequence, self._time
        if not canonical:
            message = f"Event {sequence} is not a canonical document."
            self._findings.add("malformed", message, sequence=sequence)
        if stated != sequence:
            message = f"Event {sequence} says that it is event {str(stated)[:20]}: it was moved."
            self._findings.add("sequence", message, sequence=sequence)
        if not isinstance(time, str) or time < self._time:
            self._findings.add("time", f"Event {sequence} is older than the one before it.", sequence=sequence)
        else:
            self._time = time

    def _out_of_order(self, sequence: int) -> None:
        """Note a gap or a surplus row; from here on no root can be computed, so rows are checked one by one."""
        self.whole = False
        if sequence < self.next:
            self._findings.add("inserted", f"Event {sequence} stands where none can be.", sequence=sequence)
            return
        what = f"Event {self.next} is" if sequence == self.next + 1 else f"Events {self.next} to {sequence - 1} are"
        self._findings.add("missing", f"{what} missing.", sequence=self.next)

    def _subtree(self, row: Row, stored: bytes) -> None:
        """Name the smallest stretch of events whose stored hash does not fit; larger ones only repeat it."""
        sequence, hashes, _ = row
        level = 1
        while hashes[: HASH_BYTES * (level + 1)] == stored[: HASH_BYTES * (level + 1)] and level < len(stored):
            level += 1
        first = sequence + 1 - (1 << level)
        if first <= self._bad_from:
            return
        self._bad_from = first
        message = f"The tree hash over events {first} to {sequence} does not fit them: one of them was changed."
        self._findings.add("tree", message, sequence=max(0, first), last=sequence)

    def _check_root(self, size: int) -> None:
        root, covered = self.frontier.root(), self.covered
        fits = True
        for source, expected in self._roots[size]:
            if root != expected:
                fits = False
                message = (
                    f"Events {covered} to {size - 1} do not lead to the checkpoint that {source_name(source)} has: "
                    "the trail was rewritten."
                )
                self._findings.add("rewritten", message, sequence=covered, last=size - 1, anchor=source)
        if fits:
            self.covered = size


def source_name(source: str) -> str:
    """Return how a sentence calls the place of a checkpoint."""
    return "the ledger itself" if source == "ledger" else f"the anchor `{source}`"


def origin_of(trail: Trail) -> str:
    """Return the log's name as its own checkpoints say it, empty when there are none; only for want of a key."""
    newest = ""
    for _, note in trail.checkpoints():
        newest = note
    return newest.partition("\n")[0]
