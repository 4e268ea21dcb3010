"""What is spent and held in every window, exactly, at a cost that does not grow with history.

A limit counts the payments that match it, in its window and group, by what they are and never by the limit's id: a
new version, a rename or a rollback starts with what was already spent. Held and confirmed payments count; released
and failed ones give back. A rolling window is (now - W, now]: a payment exactly one window old has left it.

Nothing here is stored. The state is rebuilt from the ledger's payments, or from the trail by an auditor, and both must
come out the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, Protocol

from mcp_wallet.core.decision import WindowUse
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.matching import Matcher, Payment
from mcp_wallet.core.wall_clock import period_start_ms

FOREVER_MS: Final = 1 << 62
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
_LONGEST_MS: Final = {"day": 2 * DAY_MS, "week": 8 * DAY_MS, "month": 32 * DAY_MS}
"""More than any calendar period lasts, the clock moved back within it."""
_VALUE_OF: Final[Mapping[str, Callable[[Payment], str]]] = {
    "agent": attrgetter("agent"),
    "recipient": attrgetter("to"),
    "asset": attrgetter("asset"),
    "chain": attrgetter("chain"),
    "category": attrgetter("category"),
}
"""What limits group by."""


class Window(Protocol):
    """A stretch of time that ends now."""

    @property
    def span_ms(self) -> int:
        """Longest age of a payment that can still count; `FOREVER_MS` for a lifetime window."""

    @property
    def name(self) -> str:
        """Canonical text, part of the counter's identity: `rolling:86400000`."""

    @property
    def words(self) -> str:
        """What people and agents read: `24h rolling`."""

    @property
    def rolling_seconds(self) -> int | None:
        """Length of a rolling window in seconds; None for others."""

    @property
    def is_daily(self) -> bool:
        """Whether it spans 24 hours or a calendar day."""

    def left_ms(self, now_ms: int) -> int:
        """Return the exclusive left edge: payments with `at_ms > left_ms` count."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """(now - W, now]."""

    span_ms: int

    @property
    def name(self) -> str:
        """See `Window.name`."""
        return f"rolling:{self.span_ms}"

    @property
    def words(self) -> str:
        """See `Window.words`."""
        hours, rest_ms = divmod(self.span_ms, HOUR_MS)
        return f"{hours}h rolling" if not rest_ms else f"{self.span_ms // 1000}s rolling"

    @property
    def rolling_seconds(self) -> int | None:
        """See `Window.rolling_seconds`."""
        return self.span_ms // 1000

    @property
    def is_daily(self) -> bool:
        """See `Window.is_daily`."""
        return self.span_ms == DAY_MS

    def left_ms(self, now_ms: int) -> int:
        """See `Window.left_ms`."""
        return now_ms - self.span_ms


@dataclass(frozen=True, slots=True)
class Calendar:
    """The local day, week (from Monday) or month that it is now, from its first instant on."""

    period: str
    timezone: str

    @property
    def span_ms(self) -> int:
        """See `Window.span_ms`."""
        return _LONGEST_MS[self.period]

    @property
    def name(self) -> str:
        """See `Window.name`."""
        return f"calendar:{self.period}:{self.timezone}"

    @property
    def words(self) -> str:
        """See `Window.words`."""
        return f"calendar {self.period} ({self.timezone})"

    @property
    def rolling_seconds(self) -> int | None:
        """See `Window.rolling_seconds`."""
        return None

    @property
    def is_daily(self) -> bool:
        """See `Window.is_daily`."""
        return self.period == "day"

    def left_ms(self, now_ms: int) -> int:
        """See `Window.left_ms`: the millisecond before the first instant."""
        return period_start_ms(self.period, self.timezone, now_ms) - 1


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Everything that ever counted."""

    @property
    def span_ms(self) -> int:
        """See `Window.span_ms`."""
        return FOREVER_MS

    @property
    def name(self) -> str:
        """See `Window.name`."""
        return "lifetime"

    @property
    def words(self) -> str:
        """See `Window.words`."""
        return "all time"

    @property
    def rolling_seconds(self) -> int | None:
        """See `Window.rolling_seconds`."""
        return None

    @property
    def is_daily(self) -> bool:
        """See `Window.is_daily`."""
        return False

    def left_ms(self, now_ms: int) -> int:
        """See `Window.left_ms`."""
        return min(now_ms, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A compiled limit. `max_units` is in base units of the assets that it matches (equal decimals).

    Args:
        key: Identity of the counter: canonical text of match, window and group, without id and maxima.
        group_by: Names among `agent recipient asset chain category`.
        max_units_by_asset: Per CAIP-19 id when grouped by asset; else the same number for each asset.
    """

    limit_id: str
    pointer: str
    key: str
    matcher: Matcher
    window: Window
    group_by: tuple[str, ...]
    max_units_by_asset: dict[str, int] | None = None
    max_count: int | None = None
    max_distinct_recipients: int | None = None

    def group_of(self, payment: Payment) -> str:
        """Return the payment's group: its values joined by `|`."""
        return "|".join([_VALUE_OF[name](payment) for name in self.group_by])


@dataclass(slots=True)
class _Entry:
    payment: Payment
    confirmed: bool = False
    gone: bool = False


@dataclass(slots=True)
class _Total:
    spent_units: int = 0
    held_units: int = 0
    count: int = 0
    recipients: dict[Address, int] = field(default_factory=dict)

    def change(self, entry: _Entry, sign: int) -> None:
        payment, recipients = entry.payment, self.recipients
        if entry.confirmed:
            self.spent_units += sign * payment.amount_units
        else:
            self.held_units += sign * payment.amount_units
        self.count += sign
        counted = recipients.get(payment.to, 0) + sign
        if counted:
            recipients[payment.to] = counted
        else:
            del recipients[payment.to]


_NOTHING: Final = _Total()
"""Read where nothing counts yet, never changed."""


@dataclass(slots=True)
class _Counter:
    """Totals of the entries in [left, right): it catches up when it is asked, never before."""

    limit: Limit
    left: int
    right: int
    totals: dict[str, _Total] = field(default_factory=dict)

    def change(self, entry: _Entry, sign: int) -> None:
        if not self.limit.matcher.matches(entry.payment):
            return
        group = self.limit.group_of(entry.payment)
        total = self.totals.get(group)
        if total is None:
            total = self.totals[group] = _Total()
        total.change(entry, sign)
        if not total.count:
            del self.totals[group]


class Windows:
    """All counters over one list of payments in the order of their times."""

    def __init__(self) -> None:
        """Start with no payment and no counter."""
        self._entries: list[_Entry] = []
        self._position: dict[str, int] = {}
        self._counters: dict[str, _Counter] = {}

    def hold(self, payment_id: str, payment: Payment) -> None:
        """Count a payment as held; its time is not before the newest one's."""
        if self._entries and payment.at_ms < self._entries[-1].payment.at_ms:
            message = "payments must be held in the order of their times"
            raise InvariantBroken(message)
        self._position[payment_id] = len(self._entries)
        self._entries.append(_Entry(payment))

    def confirm(self, payment_id: str) -> None:
        """Count a held payment as spent; unknown ids are older than every window and change nothing."""
        self._change(payment_id, confirmed=True)

    def reopen(self, payment_id: str) -> None:
        """Count a spent payment as held again: its block is gone."""
        self._change(payment_id, confirmed=False)

    def release(self, payment_id: str) -> None:
        """Give a held or spent payment back."""
        self._change(payment_id, gone=True)

    def set_aside(self, payment_id: str) -> bool:
        """Count as if a held payment were not there, until `put_back`; False when it is not there anyway."""
        position = self._position.get(payment_id)
        if position is None or self._entries[position].gone:
            return False
        self._change(payment_id, gone=True)
        return True

    def put_back(self, payment_id: str) -> None:
        """Count a payment again that was set aside, at its own time."""
        position = self._position[payment_id]
        entry = self._entries[position]
        entry.gone = False
        for counter in self._counters.values():
            if counter.left <= position < counter.right:
                counter.change(entry, +1)

    def use(self, limit: Limit, payment: Payment, now_ms: int) -> WindowUse:
        """Return what the limit already counts in this payment's group, in the window that ends now."""
        counter = self._counters.get(limit.key)
        if counter is None:
            counter = self._counters[limit.key] = _Counter(limit, 0, 0)
        self._catch_up(counter, now_ms)
        group = limit.group_of(payment)
        total = counter.totals.get(group, _NOTHING)
        return WindowUse(
            limit_id=limit.limit_id,
            group=group,
            spent_units=total.spent_units,
            held_units=total.held_units,
            count=total.count,
            distinct=len(total.recipients),
            knows_recipient=payment.to in total.recipients,
        )

    def _catch_up(self, counter: _Counter, now_ms: int) -> None:
        entries, left_ms = self._entries, counter.limit.window.left_ms(now_ms)
        while counter.right < len(entries):
            entry = entries[counter.right]
            counter.right += 1
            if not entry.gone:
                counter.change(entry, +1)
        while counter.left < counter.right and entries[counter.left].payment.at_ms <= left_ms:
            entry = entries[counter.left]
            counter.left += 1
            if not entry.gone:
                counter.change(entry, -1)
        while counter.left and entries[counter.left - 1].payment.at_ms > left_ms:  # a preview had looked ahead
            counter.left -= 1
            entry = entries[counter.left]
            if not entry.gone:
                counter.change(entry, +1)

    def _change(self, payment_id: str, *, confirmed: bool | None = None, gone: bool = False) -> None:
        position = self._position.get(payment_id)
        if position is None:
            return
        entry = self._entries[position]
        if entry.gone or entry.confirmed is confirmed:
            return
        counting = [c for c in self._counters.values() if c.left <= position < c.right]
        for counter in counting:
            counter.change(entry, -1)
        entry.confirmed, entry.gone = entry.confirmed if confirmed is None else confirmed, gone
        if not entry.gone:
            for counter in counting:
                counter.change(entry, +1)
