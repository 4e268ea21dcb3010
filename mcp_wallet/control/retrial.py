"""Would a candidate have decided otherwise? Recorded decisions, taken again under another policy.

Every decision is judged by itself, after the past as it really was: what the candidate would have refused earlier has
still been spent. Counters are folded from the trail, so that limits count which the policy in force never had. Taken
from the record: the clock, what guards and chain said, and the votes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from mcp_wallet.contract.events import parse_rfc3339_ms
from mcp_wallet.control.audit.trail import Row
from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.anomaly import Watch
from mcp_wallet.core.books import Books, counters_at, payment_of
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Counters, Decision, facts_of
from mcp_wallet.core.document import as_items, as_mapping, as_text
from mcp_wallet.core.errors import InvariantBroken, WalletError
from mcp_wallet.core.identifiers import AssetId
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.recorded import intent_of
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.votes import Vote

EXAMPLES_MAX: Final = 5
ERROR: Final = "ERROR"
Event = Mapping[str, Json]
Pair = tuple[str, str]
"""What was decided, and what the candidate says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """One recorded decision and the candidate's.

    Args:
        said: The candidate's outcome, or `ERROR` when it could not decide.
    """

    sequence: int
    event: Event
    said: str
    reasons: tuple[Json, ...]

    @property
    def pair(self) -> Pair:
        """Return what was decided and what the candidate says."""
        return as_text(self.event["decision"]), self.said

    @property
    def is_changed(self) -> bool:
        """Whether the candidate answers otherwise."""
        return self.pair[0] != self.pair[1]


class Retrial:
    """Follows the trail and takes each decision again that was made under the candidate's policy id.

    Args:
        candidate: Compiled with the settings in force.
        settings: Those settings.
    """

    def __init__(self, candidate: CompiledPolicy, settings: Settings) -> None:
        """Start before the first event."""
        self.candidate, self._settings = candidate, settings
        self._books = Books()
        if candidate.anomaly:
            self._books.watch = Watch()

    def take(self, row: Row) -> Retried | None:
        """Fold the next event; return the candidate's answer when it is a decision under its policy id."""
        sequence, _, body = row
        event = orjson.loads(body)
        retried = None
        if event["eventType"] == "policy_decision" and as_mapping(event["policy"])["id"] == self.candidate.policy_id:
            decision = self._decided(event)
            said = ERROR if decision is None else str(decision.outcome)
            reasons = () if decision is None else tuple(r.document() for r in decision.reasons)
            retried = Retried(sequence=sequence, event=event, said=said, reasons=reasons)
        self._books.apply(event, parse_rfc3339_ms(as_text(event["timestamp"])))
        return retried

    def _decided(self, event: Event) -> Decision | None:
        try:
            return self._decide(event)
        except (WalletError, InvariantBroken, KeyError, TypeError, ValueError):
            return None  # told as an error: a candidate that cannot answer must not stop the others

    def _decide(self, event: Event) -> Decision:
        written = as_mapping(event["counters"])
        now_ms = parse_rfc3339_ms(as_text(event["timestamp"]))
        counters = counters_at(
            self._books,
            policy=self.candidate,
            settings=self._settings,
            payment=payment_of(event, now_ms),
            wall_ms=int(as_text(written.get("wallMs", "0"))),
            duplicate=as_text(written.get("duplicate", "")),
            halted=as_text(written.get("halted", "")),
        )
        intent = intent_of(as_mapping(event["intent"]))
        return decide(
            self.candidate, intent, _with_votes(counters, written), facts_of(as_mapping(event["facts"])), now_ms
        )


def _with_votes(counters: Counters, written: Event) -> Counters:
    if "votes" not in written:
        return counters
    votes = [as_mapping(vote) for vote in as_items(written["votes"])]
    return counters._replace(
        votes=tuple(
            Vote(as_text(v["by"]), approves=v["approves"] is True, at_ms=parse_rfc3339_ms(as_text(v["at"])))
            for v in votes
        ),
        requested_by=as_text(written.get("requestedBy", "")),
    )


@dataclass(slots=True)
class RetrialReport:
    """What would have been decided otherwise; amounts in base units per pair of answers and asset."""

    decisions: int = 0
    unchanged: int = 0
    counts: Counter[Pair] = field(default_factory=Counter)
    amounts: Counter[tuple[Pair, str]] = field(default_factory=Counter)
    examples: dict[Pair, list[Retried]] = field(default_factory=dict)

    def add(self, retried: Retried) -> None:
        """Count one decision."""
        self.decisions += 1
        if not retried.is_changed:
            self.unchanged += 1
            return
        pair, intent = retried.pair, as_mapping(retried.event["intent"])
        self.counts[pair] += 1
        self.amounts[pair, as_text(intent["asset"])] += int(as_text(intent["amount"]))
        kept = self.examples.setdefault(pair, [])
        if len(kept) < EXAMPLES_MAX:
            kept.append(retried)

    def document(self, settings: Settings) -> dict[str, Json]:
        """Return the report for `--json`."""
        return {
            "decisions": str(self.decisions),
            "unchanged": str(self.unchanged),
            "changed": [self._changed(pair, settings) for pair in sorted(self.counts)],
        }

    def lines(self, settings: Settings) -> Iterator[str]:
        """Yield the report for people."""
        yield f"{self.decisions} decisions, {self.unchanged} as they were."
        for pair in sorted(self.counts):
            sums = ", ".join(self._sums(pair, settings))
            yield f"{pair[0]} -> {pair[1]}: {self.counts[pair]} payments, {sums}"
            yield from (f"  event {example['sequence']}: {_told(example)}" for example in self._examples(pair))

    def _changed(self, pair: Pair, settings: Settings) -> Json:
        return {
            "before": pair[0],
            "after": pair[1],
            "count": str(self.counts[pair]),
            "amounts": [*self._sums(pair, settings)],
            "examples": [*self._examples(pair)],
        }

    def _sums(self, pair: Pair, settings: Settings) -> Iterator[str]:
        for (found, asset), units in sorted(self.amounts.items()):
            if found == pair:
                yield amount_text(asset, units, settings)

    def _examples(self, pair: Pair) -> Iterator[dict[str, Json]]:
        for retried in self.examples[pair]:
            intent = as_mapping(retried.event["intent"])
            yield {
                "sequence": retried.sequence,
                "at": retried.event["timestamp"],
                "agent": intent["agentId"],
                "to": intent["payee"] or intent["to"],
                "amount": f"{intent['amountHuman']} {as_text(intent['symbol']).upper()}",
                "reasonsBefore": [as_mapping(r)["code"] for r in as_items(retried.event["reasons"])],
                "reasonsAfter": [as_mapping(r)["code"] for r in retried.reasons],
            }


def amount_text(asset: str, units: int, settings: Settings) -> str:
    """Return an amount in words; base units for an asset that the settings no longer know."""
    try:
        found = settings.registry.asset_by_id(AssetId(asset))
    except WalletError:
        return f"{units} of {asset}"
    return f"{format_amount(units, found.decimals)} {found.unit} on {settings.registry.chain(found.chain).name}"


def _told(example: Mapping[str, Json]) -> str:
    before, after = (", ".join(str(c) for c in as_items(example[key])) for key in ("reasonsBefore", "reasonsAfter"))
    paid = f"{example['agent']}, {example['amount']} to {example['to']} at {example['at']}"
    return f"{paid}: was {before or 'nothing'}, would be {after or 'an error'}"
