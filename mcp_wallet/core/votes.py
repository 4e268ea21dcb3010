"""What people said about a payment that needs them, and whether it is enough.

A vote counts while it is younger than the rule's `ttl`; a stale one is simply missing. One rejection by somebody who
may approve ends the request, however old it is; a rejection by anybody else is ignored. Nobody counts twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Vote(NamedTuple):
    """What one person said. A named tuple: see `PaymentIntent`."""

    by: str
    approves: bool
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTerms:
    """What a requireApproval rule asks for.

    Args:
        quorum: How many different people must approve.
        approvers: Who may; None for anybody whom the home lets approve.
        exclude_requester: Whether the requesting agent's owner counts for nothing.
        ttl_ms: How long a vote counts.
        channel: `outOfBand`, or `any` when people may also answer inside the agent's session.
    """

    quorum: int
    approvers: frozenset[str] | None
    exclude_requester: bool
    ttl_ms: int
    channel: str

    def admits(self, person: str, *, requested_by: str) -> bool:
        """Return whether this person has a say; `requested_by` is the agent's owner, empty when nobody is excluded."""
        is_requester = self.exclude_requester and person == requested_by != ""
        return not is_requester and (self.approvers is None or person in self.approvers)

    def approved_by(self, votes: Iterable[Vote], *, requested_by: str, now_ms: int) -> frozenset[str]:
        """Return the different people whose approval counts now."""
        return frozenset(
            vote.by
            for vote in votes
            if vote.approves and now_ms - vote.at_ms < self.ttl_ms and self.admits(vote.by, requested_by=requested_by)
        )

    def is_satisfied(self, votes: Iterable[Vote], *, requested_by: str, now_ms: int) -> bool:
        """Return whether enough people approved."""
        return len(self.approved_by(votes, requested_by=requested_by, now_ms=now_ms)) >= self.quorum


def rejecting_vote(terms: Sequence[ApprovalTerms], votes: Iterable[Vote], *, requested_by: str) -> Vote | None:
    """Return the first rejection by somebody whom one of the rules lets speak; None without one."""
    return next(
        (
            vote
            for vote in votes
            if not vote.approves and any(t.admits(vote.by, requested_by=requested_by) for t in terms)
        ),
        None,
    )
