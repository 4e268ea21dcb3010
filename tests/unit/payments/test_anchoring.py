"""Do checkpoints leave in time, and never two histories into one place?"""

import asyncio
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_wallet.core.errors import InvariantBroken, OutsideError
from mcp_wallet.core.merkle import Frontier, leaf_hash, root_at
from mcp_wallet.core.notes import open_note, parse_checkpoint, parse_verifier_key
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.payments.anchoring import EVENTS_MAX, INTERVAL_SECONDS, Anchoring, Notary, check_rollback
from mcp_wallet.ports import Head

LOG_KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
ORIGIN = "mcp-wallet/org_test/log_1"


def notary(key: Ed25519PrivateKey = LOG_KEY) -> Notary:
    return Notary(ORIGIN, key.sign, key.public_key().public_bytes_raw())


@dataclass
class TreeLedger:
    """A ledger that is nothing but its tree."""

    rows: list[bytes] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier.empty)
    stored: dict[int, str] = field(default_factory=dict)
    halted: ReasonCode | None = None

    def grow(self, *texts: str) -> "TreeLedger":
        self.rows += [self.frontier.append(leaf_hash(text.encode())) for text in texts]
        return self

    async def head(self) -> Head:
        return Head(size=self.frontier.size, root=self.frontier.root())

    async def root_at(self, size: int) -> bytes:
        return root_at(size, lambda sequence: self.rows[sequence])

    async def store_checkpoint(self, size: int, note: str) -> None:
        self.stored.setdefault(size, note)

    def halt(self, code: ReasonCode) -> None:
        self.halted = code


@dataclass
class ListAnchor:
    """Keeps what it is given, or refuses for want of a disk."""

    name: str = "list"
    notes: list[str] = field(default_factory=list)
    broken: bool = False

    async def publish(self, note: str) -> None:
        if self.broken:
            raise OutsideError(ReasonCode.DISK_FULL, "The anchor's disk is full.")
        self.notes.append(note)

    async def newest(self) -> str:
        return self.notes[-1] if self.notes else ""


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def sizes(anchor: ListAnchor) -> list[int]:
    key = parse_verifier_key(notary().verifier_key)
    return [parse_checkpoint(open_note(note, [key])).size for note in anchor.notes]


async def test_a_checkpoint_goes_to_every_anchor_and_stands_beside_the_trail():
    ledger, first, second = TreeLedger().grow("a", "b", "c"), ListAnchor("first"), ListAnchor("second")
    await Anchoring(ledger, notary(), [first, second]).publish_now()
    assert sizes(first) == sizes(second) == [3]
    assert ledger.stored == {3: first.notes[0]}


async def test_an_empty_trail_is_not_anchored():
    ledger, anchor = TreeLedger(), ListAnchor()
    await Anchoring(ledger, notary(), [anchor]).publish_now()
    assert (anchor.notes, ledger.stored) == ([], {})


async def test_the_same_head_is_published_once():
    ledger, anchor = TreeLedger().grow("a"), ListAnchor()
    anchoring = Anchoring(ledger, notary(), [anchor])
    await anchoring.publish_now()
    await anchoring.publish_now()
    assert sizes(anchor) == [1]


async def test_a_broken_anchor_neither_keeps_the_others_from_it_nor_goes_unnoticed():
    ledger, broken, healthy = TreeLedger().grow("a"), ListAnchor("broken", broken=True), ListAnchor("healthy")
    with pytest.raises(OutsideError, match="disk is full"):
        await Anchoring(ledger, notary(), [broken, healthy]).publish_now()
    assert sizes(healthy) == [1]
    assert list(ledger.stored) == [1]


async def test_a_shorter_ledger_than_was_anchored_halts_and_publishes_nothing():
    anchor = ListAnchor()
    await Anchoring(TreeLedger().grow("a", "b", "c"), notary(), [anchor]).publish_now()
    restored = TreeLedger().grow("a", "b")
    with pytest.raises(OutsideError, match="older copy was restored") as caught:
        await Anchoring(restored, notary(), [anchor]).publish_now()
    assert caught.value.code is restored.halted is ReasonCode.ROLLBACK_DETECTED
    assert sizes(anchor) == [3]


async def test_a_rolled_back_ledger_that_grew_past_the_anchor_is_still_found_out():
    anchor = ListAnchor()
    await Anchoring(TreeLedger().grow("a", "b", "c"), notary(), [anchor]).publish_now()
    other = TreeLedger().grow("a", "b", "x", "y", "z")
    with pytest.raises(OutsideError, match="rewritten"):
        await Anchoring(other, notary(), [anchor]).publish_now()
    assert sizes(anchor) == [3]


async def test_a_checkpoint_of_another_key_is_not_this_logs():
    stranger = notary(Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))
    ledger = TreeLedger().grow("a")
    note = stranger.note(await ledger.head())
    found = await check_rollback(await ledger.head(), ledger.root_at, [("file", note)], notary().verifier_key)
    assert found is not None
    assert (found.kind, found.anchor) == ("unverifiable", "file")


async def test_a_ledger_that_continues_every_anchor_passes():
    ledger = TreeLedger().grow("a", "b", "c")
    old = notary().note(await ledger.head())
    ledger.grow("d", "e")
    notes = [("file", old), ("new", "")]
    assert await check_rollback(await ledger.head(), ledger.root_at, notes, notary().verifier_key) is None


async def test_a_publication_is_due_after_256_events_or_a_minute_with_any():
    ledger, clock = TreeLedger().grow("a"), Clock()
    anchoring = Anchoring(ledger, notary(), [], monotonic=clock)
    await anchoring.publish_now()
    assert not anchoring.is_due(1)
    assert not anchoring.is_due(EVENTS_MAX)
    assert anchoring.is_due(1 + EVENTS_MAX)
    clock.seconds = INTERVAL_SECONDS
    assert not anchoring.is_due(1)
    assert anchoring.is_due(2)


async def test_while_the_trail_grows_it_is_published_and_again_at_the_end():
    ledger, anchor, clock, looks = TreeLedger().grow("a"), ListAnchor(), Clock(), asyncio.Queue[float]()

    async def sleep(seconds: float) -> None:
        clock.seconds += seconds
        await looks.put(seconds)
        await asyncio.sleep(0)

    anchoring = Anchoring(ledger, notary(), [anchor], monotonic=clock, sleep=sleep)
    await anchoring.start()
    ledger.grow("b")
    for _ in range(120):
        await looks.get()
    ledger.grow("c")
    await anchoring.close()
    assert sizes(anchor) == [1, 2, 3]


async def test_one_size_is_signed_once_and_with_one_root():
    signer, ledger = notary(), TreeLedger().grow("a")
    head = await ledger.head()
    assert signer.note(head) is signer.note(head)
    with pytest.raises(InvariantBroken):
        signer.note(Head(size=head.size, root=b"\x00" * 32))
