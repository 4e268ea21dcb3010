"""A candidate that watches real traffic: what it would have decided is recorded, and nothing is enforced.

It follows the trail from outside the payment path: a decision is made, recorded and answered before the shadow reads
it, so a slow shadow is late and a failing one is recorded as such. It goes on where it last stopped.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Final

import orjson

from mcp_wallet.contract.events import EventType
from mcp_wallet.control.audit.trail import Trail
from mcp_wallet.control.retrial import Retrial, RetrialReport, Retried
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.document import as_items, as_text

QUERY: Final = "policy shadow"
"""What the event is called that says from where on a candidate watches."""
REASONS_KEPT: Final = 20
BATCH: Final = 256
POLL_SECONDS: Final = 1
Open = Callable[[], AbstractContextManager[Trail]]
"""Gives a fresh snapshot of the trail; called, used and closed on one thread."""
Record = Callable[[str, Mapping[str, Json]], Awaitable[int]]
"""Appends an event."""


class Shadow:
    """One candidate on one trail.

    Args:
        retrial: The candidate, before the first event.
        since: Sequence of the first decision that is shadowed.
    """

    def __init__(self, retrial: Retrial, *, since: int) -> None:
        """Start before the first event."""
        self._retrial, self._since, self._next = retrial, since, 0

    def said_since(self, trail: Trail) -> list[Retried]:
        """Return what the candidate says of each decision that it has not spoken of yet."""
        found = []
        for row in trail.rows(self._next):
            self._next = row[0] + 1
            retried = self._retrial.take(row)
            if retried is not None and retried.sequence >= self._since:
                found.append(retried)
        return found

    def event_of(self, retried: Retried) -> dict[str, Json]:
        """Return what a `shadow_decision` event holds."""
        candidate = self._retrial.candidate
        return {
            "decisionSequence": str(retried.sequence),
            "shadowedPayment": retried.event["paymentId"],
            "candidate": {"policyId": candidate.policy_id, "policyHash": candidate.hash},
            "decided": retried.pair[0],
            "candidateDecision": retried.said,
            "reasons": [*retried.reasons[:REASONS_KEPT]],
            "enforced": False,
        }


async def follow(
    shadow: Shadow, open_trail: Open, record: Record, *, stop: asyncio.Event, told: Callable[[Retried], None]
) -> int:
    """Record what the candidate says of every decision until `stop` is set; return how many.

    What was decided when `stop` is found set is still spoken of.

    Raises:
        OutsideError: When the trail cannot be read or appended to; started again, it goes on from there.
    """
    count, is_last = 0, False
    while not is_last:
        is_last = stop.is_set()
        found = await asyncio.to_thread(_read, shadow, open_trail)
        for start in range(0, len(found), BATCH):
            events = [shadow.event_of(retried) for retried in found[start : start + BATCH]]
            await asyncio.gather(*(record(EventType.SHADOW_DECISION, event) for event in events))
        for retried in found:
            told(retried)
        count += len(found)
        if not is_last:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_SECONDS)
    return count


def resumed_at(trail: Trail, candidate_hash: str) -> int | None:
    """Return the first decision that this candidate has not spoken of; None when it never watched."""
    newest: int | None = None
    for event in _about(trail, candidate_hash):
        if event["eventType"] == EventType.SHADOW_DECISION:
            newest = max(newest or 0, int(as_text(event["decisionSequence"])) + 1)
        else:
            newest = max(newest or 0, int(as_text(event["since"])))
    return newest


def shadow_report(trail: Trail, candidate_hash: str) -> RetrialReport:
    """Return what the candidate has said so far, with the decisions that it spoke of."""
    report = RetrialReport()
    for event in _about(trail, candidate_hash):
        if event["eventType"] == EventType.SHADOW_DECISION:
            row = trail.row(int(as_text(event["decisionSequence"])))
            if row is not None:
                said, reasons = as_text(event["candidateDecision"]), tuple(as_items(event["reasons"]))
                report.add(Retried(sequence=row[0], event=orjson.loads(row[2]), said=said, reasons=reasons))
    return report


def _about(trail: Trail, candidate_hash: str) -> Iterator[Mapping[str, Json]]:
    """Yield the events of this candidate: from where on it watches, and what it said."""
    wanted, kinds = candidate_hash.encode(), (b'"shadow_decision"', b'"policy shadow"')
    for _, _, body in trail.rows():
        if wanted in body and any(kind in body for kind in kinds):
            event = orjson.loads(body)
            if event["eventType"] == EventType.SHADOW_DECISION or event.get("query") == QUERY:
                yield event


def _read(shadow: Shadow, open_trail: Open) -> list[Retried]:
    with open_trail() as trail:
        return shadow.said_since(trail)
