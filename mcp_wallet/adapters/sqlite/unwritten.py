"""Events that a batch has and the engine has not yet.

A decision reads memory and the guards' indexes and nothing else, so what it leaves behind can be made and inserted for
the whole batch at once, stage by stage, which takes half the time of one by one. Nothing waits here longer than its
transaction.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.contract.events import LEAF_BYTES_MAX
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.merkle import Frontier, leaf_hash

T = TypeVar("T")

_EVENT: Final = "INSERT INTO event (sequence, hashes, body) VALUES (?, ?, ?)"


class Later(Generic[T]):
    """A value that is made when its batch is written out; it is there when the batch is committed."""

    __slots__ = ("_make", "value")

    value: T

    def __init__(self, make: Callable[[], T]) -> None:
        """Make nothing yet."""
        self._make = make

    @classmethod
    def known(cls, value: T) -> "Later[T]":
        """Return one whose value is there already."""
        later = cls(lambda: value)
        later.make()
        return later

    def make(self) -> None:
        """Make the value."""
        self.value = self._make()


class Unwritten:
    """What the open transaction has that the engine has not, in the order of the trail."""

    __slots__ = ("_events", "_first", "_later")

    def __init__(self) -> None:
        """Start empty."""
        self.forget()

    def forget(self) -> None:
        """Drop everything: it is written, or the transaction was rolled back."""
        self._first = 0
        self._events: list[dict[str, Json]] = []
        self._later: list[Later[Any]] = []

    @property
    def events(self) -> int:
        """How many events wait."""
        return len(self._events)

    def add_event(self, sequence: int, event: dict[str, Json]) -> None:
        """Keep an event; an empty one keeps the place of one that is made later."""
        if not self._events:
            self._first = sequence
        self._events.append(event)

    def fill_event(self, sequence: int, event: dict[str, Json]) -> None:
        """Put an event in the place that was kept for it."""
        self._events[sequence - self._first] = event

    def add_later(self, later: Later[Any]) -> None:
        """Keep what is to be made of a decision."""
        self._later.append(later)

    def write_out(self, raw: Raw, frontier: Frontier) -> None:
        """Make what waits, grow the tree, and insert the events."""
        for later in self._later:
            later.make()
        bodies = [_body(event) for event in self._events]
        leaves = [leaf_hash(body) for body in bodies]
        hashes = [bytearray(frontier.append(leaf)) for leaf in leaves]  # the driver binds bytes at twice the price
        texts = [body.decode() for body in bodies]
        if texts:
            raw.executemany(_EVENT, list(zip(range(self._first, self._first + len(texts)), hashes, texts, strict=True)))
        self.forget()


def _body(event: dict[str, Json]) -> bytes:
    body = canonical_bytes(event)
    if len(body) > LEAF_BYTES_MAX:
        message = f"an event of {len(body)} bytes is larger than a leaf may be"
        raise InvariantBroken(message)
    return body
