"""Checkpoints leave the home, so that cutting, rewriting or restoring the trail is found out.

A checkpoint is published at most `INTERVAL_SECONDS` or `EVENTS_MAX` events after the last one while the trail grows, at
the start when the anchors are behind, and at the end. Before an anchor gets a new checkpoint, the ledger must contain
everything that the anchor already holds: a log never signs two histories into one place.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from mcp_wallet.core.errors import InvariantBroken, OutsideError
from mcp_wallet.core.merkle import ProofInvalid
from mcp_wallet.core.notes import (
    Checkpoint,
    NoteInvalid,
    VerifierKey,
    open_note,
    parse_checkpoint,
    parse_verifier_key,
    sign_note,
    verifier_key,
)
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Anchor, Head

log = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 60.0
EVENTS_MAX: Final = 256
LOOK_SECONDS_MAX: Final = 1.0
LOOK_SECONDS_MIN: Final = 0.05

ReadRoot = Callable[[int], Awaitable[bytes]]
"""Returns the root of the ledger's first so many events; `ProofInvalid` when its tree has a hole."""


class AnchoredLedger(Protocol):
    """What anchoring needs of a ledger."""

    async def head(self) -> Head:
        """See `ports.Ledger.head`."""

    async def root_at(self, size: int) -> bytes:
        """Return the root of the first `size` events."""

    async def store_checkpoint(self, size: int, note: str) -> None:
        """Keep a signed checkpoint beside the trail."""

    def halt(self, code: ReasonCode) -> None:
        """Refuse every further decision of this process with this code."""


class Notary:
    """Signs the trail's head as a C2SP checkpoint; one note per size, never two.

    Args:
        origin: Name of the log and of its key: `mcp-wallet/<orgId>/<logId>`.
        sign: Ed25519 over the note's text, with the log key (never the wallet's).
        public_key: 32 bytes.
    """

    def __init__(self, origin: str, sign: Callable[[bytes], bytes], public_key: bytes) -> None:
        """Sign nothing yet."""
        self.origin = origin
        self.verifier_key = verifier_key(origin, public_key)
        self._sign, self._public_key = sign, public_key
        self._newest: tuple[Head, str] | None = None

    def note(self, head: Head) -> str:
        """Return the signed checkpoint of this head; the same text for the same size.

        Raises:
            InvariantBroken: For a head of the newest size with another root: a log has one history.
        """
        if self._newest is not None and self._newest[0].size == head.size:
            if self._newest[0].root != head.root:
                raise InvariantBroken("two roots for one size of the trail")
            return self._newest[1]
        body = Checkpoint(origin=self.origin, size=head.size, root=head.root).body()
        note = sign_note(body, self.origin, sign=self._sign, public_key=self._public_key)
        if self._newest is None or head.size > self._newest[0].size:
            self._newest = (head, note)
        return note


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """Why the ledger is not the continuation of what an anchor holds.

    Args:
        kind: `behind` (fewer events than were anchored), `inconsistent` (other events) or `unverifiable` (the anchor
            holds a checkpoint in this log's name that its key did not sign).
        anchored_size: Events that the anchor's newest checkpoint covers; 0 when it cannot be read.
    """

    anchor: str
    kind: str
    anchored_size: int
    ledger_size: int

    @property
    def message(self) -> str:
        """One sentence for the operator."""
        if self.kind == "behind":
            return (
                f"The ledger has {self.ledger_size} events, but the anchor `{self.anchor}` has seen "
                f"{self.anchored_size}: an older copy was restored or the end was cut off."
            )
        if self.kind == "inconsistent":
            return (
                f"The first {self.anchored_size} events are not those that the anchor `{self.anchor}` has seen: "
                "the trail was rewritten."
            )
        return f"The newest checkpoint of the anchor `{self.anchor}` is not signed by this log's key."


async def check_rollback(
    head: Head, root_at: ReadRoot, newest_notes: Sequence[tuple[str, str]], key: str
) -> Rollback | None:
    """Return why the ledger may not go on, or None when it contains everything that the anchors hold.

    Args:
        head: The ledger's, read after the notes: any process of the home may publish meanwhile.
        newest_notes: Name and newest checkpoint of each anchor; empty text for an anchor that has none yet.
        key: The log's verifier key, known from outside the ledger.
    """
    known = parse_verifier_key(key)
    for name, note in newest_notes:
        if note and (found := await _compare(head, root_at, name, note, known)):
            return found
    return None


async def _compare(head: Head, root_at: ReadRoot, anchor: str, note: str, key: VerifierKey) -> Rollback | None:
    def found(kind: str, size: int) -> Rollback:
        return Rollback(anchor=anchor, kind=kind, anchored_size=size, ledger_size=head.size)

    if not note.startswith(f"{key.name}\n"):
        return None  # another log's: of ours this anchor has nothing
    try:
        anchored = parse_checkpoint(open_note(note, [key]))
    except NoteInvalid:
        return found("unverifiable", 0)
    if anchored.size > head.size:
        return found("behind", anchored.size)
    try:
        root = head.root if anchored.size == head.size else await root_at(anchored.size)
    except ProofInvalid:
        return found("inconsistent", anchored.size)
    return None if root == anchored.root else found("inconsistent", anchored.size)


class Anchoring:
    """Publishes checkpoints of the ledger's head to every anchor, and keeps each beside the trail.

    Args:
        monotonic: Seconds of a clock that never goes back.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        ledger: AnchoredLedger,
        notary: Notary,
        anchors: Sequence[Anchor],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the parts; nothing is published until `start`."""
        self._ledger, self._notary, self._anchors = ledger, notary, tuple(anchors)
        self._monotonic, self._sleep = monotonic, sleep
        self._tried_size, self._tried_at = 0, monotonic()
        self._rounds: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Publish the head when an anchor is behind, and go on publishing as the trail grows.

        An anchor that cannot be reached now is tried again; it does not keep the wallet from starting.
        """
        await self._publish_safely()
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._look_again_and_again(), name="anchoring")

    async def publish_now(self) -> None:
        """Publish the head to every anchor; durable there and in the ledger on return.

        Raises:
            OutsideError: When an anchor or the ledger did not take it (the other anchors got it), or
                `ROLLBACK_DETECTED`: an anchor holds a history that is not the ledger's; the ledger is halted.
        """
        failures: list[OutsideError] = []
        held = [(anchor, await _newest(anchor, failures)) for anchor in self._anchors]
        head = await self._ledger.head()  # after the anchors: another process may publish at any moment
        self._tried_size, self._tried_at = head.size, self._monotonic()
        if not head.size:
            return
        await self._refuse_rollback(head, held)
        note = self._notary.note(head)
        for anchor, newest in held:
            if newest is not None and newest != note:
                await _publish(anchor, note, failures)
        await self._ledger.store_checkpoint(head.size, note)
        if failures:
            raise failures[0]

    async def close(self) -> None:
        """Stop, and publish the last head; errors as `publish_now`."""
        if self._rounds is not None:
            self._rounds.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._rounds
            self._rounds = None
        await self.publish_now()

    def is_due(self, size: int) -> bool:
        """Return whether a trail of this size must be published now."""
        moved = size - self._tried_size
        waited = self._monotonic() - self._tried_at
        return moved >= EVENTS_MAX or (moved > 0 and waited >= INTERVAL_SECONDS - LOOK_SECONDS_MAX)

    # -- parts -------------------------------------------------------------------------------------------------

    async def _refuse_rollback(self, head: Head, held: Sequence[tuple[Anchor, str | None]]) -> None:
        notes = [(anchor.name, note) for anchor, note in held if note is not None]
        rollback = await check_rollback(head, self._ledger.root_at, notes, self._notary.verifier_key)
        if rollback is not None:
            self._ledger.halt(ReasonCode.ROLLBACK_DETECTED)
            raise OutsideError(ReasonCode.ROLLBACK_DETECTED, rollback.message, retryable=False)

    async def _publish_safely(self) -> None:
        try:
            await self.publish_now()
        except OutsideError as error:
            log.warning("anchoring waits: %s %s", error.code, error.message)

    async def _look_again_and_again(self) -> None:
        pause, seen = LOOK_SECONDS_MAX, self._tried_size
        while True:
            await self._sleep(pause)
            try:
                size = (await self._ledger.head()).size
            except OutsideError as error:
                log.warning("anchoring waits: %s %s", error.code, error.message)
                continue
            pause, seen = _pause_after(size - seen, pause), size
            if self.is_due(size):
                await self._publish_safely()


async def _newest(anchor: Anchor, failures: list[OutsideError]) -> str | None:
    """Return the anchor's newest checkpoint, None when it does not answer."""
    try:
        return await anchor.newest()
    except OutsideError as error:
        log.warning("anchor %s: %s %s", anchor.name, error.code, error.message)
        failures.append(error)
        return None


async def _publish(anchor: Anchor, note: str, failures: list[OutsideError]) -> None:
    try:
        await anchor.publish(note)
    except OutsideError as error:
        log.warning("anchor %s: %s %s", anchor.name, error.code, error.message)
        failures.append(error)


def _pause_after(grown: int, pause: float) -> float:
    """Return how long to wait so that at most about `EVENTS_MAX` events come meanwhile, at the pace just seen."""
    if grown <= 0:
        return LOOK_SECONDS_MAX
    return min(LOOK_SECONDS_MAX, max(LOOK_SECONDS_MIN, pause * EVENTS_MAX / grown))
