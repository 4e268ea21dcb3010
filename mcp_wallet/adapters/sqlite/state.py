"""What the ledger keeps in memory, always as of the newest commit of any process.

At the start it is read from the tables; from then on it follows the trail: under the lock, before any decision, the
events that other processes appended are folded into it. After a rollback it is forgotten and read again.
"""

from dataclasses import dataclass, field, replace
from typing import Final, cast

import orjson

from mcp_wallet.adapters.sqlite.agent_rows import read_agents
from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.policy_lists import PolicyLists
from mcp_wallet.adapters.sqlite.rows import COUNTED, Decided, PaymentRow, counted
from mcp_wallet.adapters.sqlite.unlisted import LIST_AFTER, Unlisted
from mcp_wallet.adapters.sqlite.unwritten import Unwritten
from mcp_wallet.contract.events import parse_rfc3339_ms
from mcp_wallet.core.anomaly import MEMORY_MS, Watch
from mcp_wallet.core.books import HOUR_MS, WATCHED, WEEK_MS, Books, is_first_decision, payment_of, watch_event
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy, Listing, compile_policy, listing_of
from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.fees import DAY_MS
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.merkle import Frontier
from mcp_wallet.core.settings import Settings, settings_of
from mcp_wallet.core.transaction import decode_unsigned
from mcp_wallet.core.votes import Vote
from mcp_wallet.ports import AgentRow, PaymentRecord

_CONTROL: Final = frozenset(
    {
        "config_applied",
        "policy_activated",
        "policy_rolled_back",
        "agent_created",
        "agent_bound",
        "agent_disabled",
        "credential_issued",
        "credential_rotated",
        "credential_revoked",
    }
)
_DECIDED_MAX: Final = 1024
_VOTES: Final = (
    "SELECT payment_id, person, at_ms FROM vote v JOIN payment p ON p.id = v.subject WHERE approves = 1 "
    "AND p.state = 'pending_approval' ORDER BY v.sequence"
)
_ACTIVATIONS: Final = (
    "SELECT sequence, at_ms, document FROM policy_activation a JOIN policy_version v "
    "ON v.policy_id = a.policy_id AND v.version = a.version WHERE a.policy_id = ? ORDER BY sequence"
)
_COUNTING: Final = f"SELECT id, payment_id, state, nonce, gas_limit, max_fee_wei, {COUNTED} FROM payment"  # noqa: S608  as below
_NOT_LISTED: Final = (
    "SELECT body FROM event WHERE sequence > ? AND instr(body, '\"policy_decision\"') > 0 ORDER BY sequence"
)
_LIVE: Final = f"{_COUNTING} WHERE id IN (SELECT id FROM open_payment)"  # noqa: S608  our own column names
_REPLACED: Final = (
    "SELECT payment_id, chain, attempt.unsigned FROM attempt JOIN payment ON id = payment "
    "WHERE payment IN (SELECT id FROM open_payment) ORDER BY payment, number"
)
_SPENT: Final = f"{_COUNTING} WHERE id >= ? AND state = 'confirmed'"


@dataclass(slots=True)
class Control:
    """Agents, policies and settings as they are in force."""

    settings: Settings | None = None
    policies: dict[str, CompiledPolicy] = field(default_factory=dict)
    documents: dict[str, tuple[str, str, Json]] = field(default_factory=dict)
    agents_by_key: dict[str, tuple[AgentRow, str]] = field(default_factory=dict)
    agents: dict[str, AgentRow] = field(default_factory=dict)


class ListingNeeded(Exception):  # noqa: N818  a signal between two functions of the ledger's thread, never an error
    """A read needs the table of payments, and the table is behind: the read is to run as a write."""


class LedgerState:
    """Head of the trail, the books, and what control changes say; valid only on the connection's thread."""

    def __init__(self, lists: PolicyLists) -> None:
        """Know nothing until `refresh`."""
        self.lists = lists
        self.known = False
        self.writes = 0
        self.unwritten = Unwritten()
        self.unlisted = Unlisted()
        self.decided: Decided = {}
        self._may_write = False
        self.frontier = Frontier.empty()
        self.books = Books()
        self.control = Control()
        self.horizon_ms = 0
        self._listed: dict[int, Listing] = {}
        self.watching = False
        self.settled: Frontier | None = None
        """The tree of the newest transaction that this process finished or saw; never changed, read from any thread."""

    def settle(self) -> None:
        """Note the head: memory holds exactly what is committed."""
        if self.settled is None or self.settled.size != self.frontier.size:
            self.settled = self.frontier.copy()

    def forget(self) -> None:
        """Distrust everything: the next `refresh` reads again."""
        self.known = False
        self._listed.clear()
        self.decided.clear()
        self.unwritten.forget()

    def remember(self, record: PaymentRecord, account_nonce: int | None) -> None:
        """Keep a payment as this process decided it: whoever asked will soon want it paid."""
        if len(self.decided) >= _DECIDED_MAX:
            self.decided.clear()
        self.decided[record.decision_sequence] = PaymentRow(record, account_nonce)

    @property
    def next_sequence(self) -> int:
        """The sequence that the next event gets."""
        return self.frontier.size + self.unwritten.events

    def keep_place(self) -> int:
        """Return the next sequence and keep its place; the event itself may be made later in the transaction."""
        sequence = self.next_sequence
        self.unwritten.add_event(sequence, {})
        self.writes += 1
        return sequence

    def write_out(self, raw: Raw) -> None:
        """Give the engine the events that the open transaction holds, and now and then the rows of payments."""
        self.unwritten.write_out(raw, self.frontier)
        if len(self.unlisted) >= LIST_AFTER:
            self.unlisted.list_all(raw)

    def list_payments(self, raw: Raw) -> None:
        """Make the table of payments say what the trail says: before anybody reads or changes it.

        Raises:
            ListingNeeded: In a read transaction, when there is something to write.
        """
        if self.unwritten.events or self.unlisted:
            if not self._may_write:
                raise ListingNeeded
            self.unwritten.write_out(raw, self.frontier)
            self.unlisted.list_all(raw)

    def refresh(self, raw: Raw, may_write: bool) -> None:  # noqa: FBT001  the committer says it, nobody else
        """Bring memory up to the newest event of this transaction's snapshot."""
        self._may_write = may_write
        size = (raw.execute("SELECT max(sequence) FROM event").fetchone()[0] or 0) + 1
        if size == 1 and raw.execute("SELECT count(*) FROM event").fetchone()[0] == 0:
            size = 0
        if not self.known:
            self._load(raw, size)
        elif size != self.frontier.size:
            self._follow(raw)
        elif self.unlisted:
            self.unlisted.drop_listed(_newest_row(raw))

    # -- following -------------------------------------------------------------------------------------------

    def _follow(self, raw: Raw) -> None:
        control_changed, listed = False, _newest_row(raw)
        self.unlisted.drop_listed(listed)
        rows = raw.execute(
            "SELECT hashes, body FROM event WHERE sequence >= ? ORDER BY sequence", (self.frontier.size,)
        ).fetchall()
        for hashes, body in rows:
            self.frontier.append(bytes(hashes[:32]))
            event = orjson.loads(body)
            self.books.apply(event, parse_rfc3339_ms(event["timestamp"]))
            if is_first_decision(event) and event["sequence"] > listed:
                self.unlisted.add_event(event)
            control_changed = control_changed or event["eventType"] in _CONTROL
        if control_changed:
            self.load_control(raw)

    # -- loading ---------------------------------------------------------------------------------------------

    def _load(self, raw: Raw, size: int) -> None:
        self.unlisted.forget()
        self.frontier = Frontier.load(size, lambda sequence: _hashes(raw, sequence))
        self.books = Books()
        self.horizon_ms, self.watching = 0, False
        self.load_control(raw)
        if self.watching:
            self.books.watch = Watch()
        if size:
            self._load_books(raw, size)
        self.known = True

    def load_control(self, raw: Raw) -> None:
        """Read settings, policies and agents; a longer window than was loaded makes the books be read again."""
        control = Control()
        row = raw.execute("SELECT version, document FROM settings_version ORDER BY version DESC LIMIT 1").fetchone()
        if row is not None:
            control.settings = settings_of(orjson.loads(row[1]), version=str(row[0]))
            for policy_id, version, digest, text in raw.execute(
                "SELECT policy_id, version, hash, document FROM policy_version WHERE active = 1"
            ).fetchall():
                document = self.lists.restored(raw, orjson.loads(text))
                control.documents[policy_id] = (str(version), digest, document)
                policy = compile_policy(document, version=str(version), settings=control.settings)
                if policy.new_recipient_hold_ms:
                    policy = replace(policy, listings=self._listings(raw, policy_id))
                control.policies[policy_id] = policy
        control.agents_by_key, control.agents = read_agents(raw, control.policies)
        self.control = control
        horizon, watching = _horizon_ms(control), any(p.anomaly for p in control.policies.values())
        if horizon > self.horizon_ms or watching > self.watching:
            self.horizon_ms, self.watching = max(horizon, self.horizon_ms), watching
            if self.known:
                self.known = False
                self.unwritten.write_out(raw, self.frontier)
                self._load(raw, self.frontier.size)

    def _listings(self, raw: Raw, policy_id: str) -> tuple[Listing, ...]:
        """Return whom the policy's versions listed, in the order in which they came into force."""
        rows = raw.execute(_ACTIVATIONS, (policy_id,)).fetchall()
        for sequence, at_ms, text in rows:
            if sequence not in self._listed:
                document = self.lists.restored(raw, orjson.loads(text))
                self._listed[sequence] = listing_of(document, at_ms=at_ms)
        return tuple(self._listed[sequence] for sequence, _, _ in rows)

    def _load_books(self, raw: Raw, size: int) -> None:
        books = self.books
        newest = raw.execute("SELECT body FROM event WHERE sequence = ?", (size - 1,)).fetchone()[0]
        books.last_event_ms = parse_rfc3339_ms(orjson.loads(newest)["timestamp"])
        self._load_payments(raw, books.last_event_ms - max(self.horizon_ms, WEEK_MS))
        for chain, fee_wei, settled_at_ms in raw.execute(
            "SELECT chain, fee_wei, settled_at_ms FROM payment WHERE settled_at_ms > ? ORDER BY settled_at_ms",
            (books.last_event_ms - DAY_MS,),
        ).fetchall():
            books.fees.paid(ChainId(chain), int(fee_wei), settled_at_ms)
        for payment_id, person, at_ms in raw.execute(_VOTES).fetchall():
            books.votes[payment_id] = (*books.votes.get(payment_id, ()), Vote(by=person, approves=True, at_ms=at_ms))
        for kind, value, reason in raw.execute("SELECT kind, value, reason FROM freeze").fetchall():
            books.freezes[kind, value] = reason
        for chain, nonce in raw.execute(
            "SELECT chain, max(nonce) FROM payment WHERE nonce IS NOT NULL GROUP BY chain"
        ).fetchall():
            books.next_nonce[ChainId(chain)] = nonce + 1
        _load_denials(raw, books)
        if self.watching:
            books.watch = _watch(raw, since_ms=books.last_event_ms - MEMORY_MS)

    def _load_payments(self, raw: Raw, since_ms: int) -> None:
        """Count what is held, however old, and what was spent since; rows are in the order of their times."""
        books, first = self.books, _first_row_since(raw, since_ms)
        for _, payment_id, state, nonce, gas_limit, max_fee_wei, *columns in raw.execute(
            f"{_SPENT} UNION ALL {_LIVE} ORDER BY id", (first,)
        ).fetchall():
            payment = counted(tuple(columns))
            books.hold(payment_id, payment, pending=state == State.PENDING_APPROVAL)
            if state == State.CONFIRMED:
                books.windows.confirm(payment_id)
            elif nonce is not None:
                books.fees.hold(payment_id, payment.chain, int(gas_limit) * int(max_fee_wei))
        for payment_id, chain, unsigned in raw.execute(_REPLACED).fetchall():
            books.fees.hold(payment_id, ChainId(chain), decode_unsigned(bytes(unsigned)).fee_max_wei)
        for (body,) in raw.execute(_NOT_LISTED, (_newest_row(raw),)).fetchall():
            event = orjson.loads(body)
            if is_first_decision(event):
                self.unlisted.add_event(event)
                if event["decision"] != Outcome.DENY:  # `_load_denials` counts those
                    at_ms = parse_rfc3339_ms(event["timestamp"])
                    books.decided(event["paymentId"], payment_of(event, at_ms), event["decision"])


def _newest_row(raw: Raw) -> int:
    """Return the newest row of the table of payments; everything that was decided up to it is listed."""
    return raw.execute("SELECT max(id) FROM payment").fetchone()[0] or 0


def _horizon_ms(control: Control) -> int:
    """Return how far back a decision may look: windows, cool-downs, the search for payments of equal content."""
    policies = control.policies.values()
    looks = [max(policy.horizon_ms, policy.cooldown_ms) for policy in policies]
    return max(looks, default=0) if control.settings is None else max(control.settings.deduplication_ms, *looks, 0)


def _hashes(raw: Raw, sequence: int) -> bytes:
    return bytes(raw.execute("SELECT hashes FROM event WHERE sequence = ?", (sequence,)).fetchone()[0])


def _first_row_since(raw: Raw, since_ms: int) -> int:
    """Return the lowest payment row whose decision is younger: rows are in the order of their times (bisection)."""
    low, high = 1, (raw.execute("SELECT max(id) FROM payment").fetchone()[0] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        at_ms = raw.execute("SELECT decided_at_ms FROM payment WHERE id >= ? ORDER BY id LIMIT 1", (middle,)).fetchone()
        if at_ms is not None and at_ms[0] <= since_ms:
            low = middle + 1
        else:
            high = middle
    return low


def _watch(raw: Raw, *, since_ms: int) -> Watch:
    """Return what agents usually do, from the events since then."""
    watch, found = Watch(), []
    for (body,) in raw.execute("SELECT body FROM event ORDER BY sequence DESC"):
        event = cast("dict[str, Json]", orjson.loads(body))
        at_ms = parse_rfc3339_ms(cast("str", event["timestamp"]))
        if at_ms <= since_ms:
            break
        if event["eventType"] in WATCHED:
            found.append((event, at_ms))
    for event, at_ms in reversed(found):
        watch_event(watch, event, at_ms)
    return watch


def _load_denials(raw: Raw, books: Books) -> None:
    """Fold the denials of the last hour: read the trail backwards until it is older."""
    found = []
    for (body,) in raw.execute("SELECT body FROM event ORDER BY sequence DESC"):
        event = cast("dict[str, Json]", orjson.loads(body))
        at_ms = parse_rfc3339_ms(cast("str", event["timestamp"]))
        if at_ms <= books.last_event_ms - HOUR_MS:
            break
        if event["eventType"] == "policy_decision" and event["decision"] == "DENY":
            found.append((event, at_ms))
    for event, at_ms in reversed(found):
        books.apply(event, at_ms)
