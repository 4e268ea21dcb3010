"""What a batch has decided and not yet given to the engine.

A decision reads memory and the guards' indexes and nothing else, so what it leaves behind can be made and inserted for
the whole batch at once, stage by stage, which takes half the time of one by one. Whoever is about to read a table calls
`LedgerState.write_out` first. Nothing waits here longer than its transaction.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.contract.events import LEAF_BYTES_MAX
from mcp_wallet.core.canonical import Json, canonical_bytes
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.merkle import Frontier, leaf_hash

T = TypeVar("T")

_EVENT: Final = "INSERT INTO event (sequence, hashes, body) VALUES (?, ?, ?)"
_OPEN: Final = "INSERT INTO open_payment (id) VALUES (?)"
PAYMENT_COLUMNS: Final = (
    "id, payment_id, agent_id, operation, chain, asset, sender, recipient, category, amount, reference, "
    "idempotency_key, decided_at_ms, state, freed, expires_at_ms, purpose, gas_limit, max_fee_wei, priority_fee_wei, "
    "fee_cap_wei"
)
_MARKS: Final = ", ".join("?" * len(PAYMENT_COLUMNS.split(",")))
_PAYMENT: Final = f"INSERT INTO payment ({PAYMENT_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608  our own column names

Guard: TypeAlias = tuple[str, str]
"""Reference and recipient, or idempotency key and agent."""


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

    __slots__ = ("_events", "_first", "_guards", "_later", "_open", "_payments")

    def __init__(self) -> None:
        """Start empty."""
        self.forget()

    def forget(self) -> None:
        """Drop everything: it is written, or the transaction was rolled back."""
        self._first = 0
        self._events: list[dict[str, Json]] = []
        self._later: list[Later[Any]] = []
        self._payments: list[tuple[object, ...]] = []
        self._open: list[tuple[int]] = []
        self._guards: set[Guard] = set()

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

    def add_later(self, later: Later[Any], guards: tuple[Guard, ...]) -> None:
        """Keep what is to be made of a decision.

        Args:
            guards: What nobody may pay again, though no table says so yet.
        """
        self._later.append(later)
        self._guards.update(guards)

    def add_payment(self, row: tuple[int, *tuple[object, ...]], *, is_open: bool) -> None:
        """Keep a payment's row, the values of `PAYMENT_COLUMNS`; an open one's budget is held."""
        self._payments.append(row)
        if is_open:
            self._open.append((row[0],))

    def has(self, guard: Guard) -> bool:
        """Return whether a look-up in the tables would miss a payment that is kept here."""
        return guard in self._guards

    def write_out(self, raw: Raw, frontier: Frontier) -> None:
        """Make what waits, grow the tree, and insert all rows."""
        for later in self._later:
            later.make()
        bodies = [_body(event) for event in self._events]
        leaves = [leaf_hash(body) for body in bodies]
        hashes = [bytearray(frontier.append(leaf)) for leaf in leaves]  # the driver binds bytes at twice the price
        texts = [body.decode() for body in bodies]
        if texts:
            raw.executemany(_EVENT, list(zip(range(self._first, self._first + len(texts)), hashes, texts, strict=True)))
        if self._payments:
            raw.executemany(_PAYMENT, self._payments)
            raw.executemany(_OPEN, self._open)
        self.forget()


def _body(event: dict[str, Json]) -> bytes:
    body = canonical_bytes(event)
    if len(body) > LEAF_BYTES_MAX:
        message = f"an event of {len(body)} bytes is larger than a leaf may be"
        raise InvariantBroken(message)
    return body
