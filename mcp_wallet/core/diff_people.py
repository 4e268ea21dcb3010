"""When what one set of approval rules asks of people is at least as much as what another asks."""

from collections.abc import Iterable, Sequence

from mcp_wallet.core.votes import ApprovalTerms

OUT_OF_BAND = "outOfBand"


def unmatched_terms(these: Iterable[ApprovalTerms], others: Sequence[ApprovalTerms]) -> tuple[ApprovalTerms, ...]:
    """Return those of `these` that people may leave unsatisfied although they satisfy all of `others`."""
    return tuple(one for one in these if not any(_stands_in(other, one) for other in others))


def can_stop_more(these: Sequence[ApprovalTerms], others: Sequence[ApprovalTerms]) -> bool:
    """Return whether somebody's rejection ends a request under `these` and is ignored under `others`."""
    return not (_within(these, others) and _within(_of_owners(these), _of_owners(others)))


def _stands_in(outer: ApprovalTerms, inner: ApprovalTerms) -> bool:
    """Return whether any votes that satisfy `outer` satisfy `inner`."""
    sure = outer.quorum
    if inner.approvers is not None:
        if outer.approvers is None:
            return False
        sure -= len(outer.approvers - inner.approvers)
    if inner.exclude_requester and not outer.exclude_requester:
        sure -= 1
    return (
        sure >= inner.quorum
        and outer.ttl_ms <= inner.ttl_ms
        and (outer.channel == OUT_OF_BAND or inner.channel != OUT_OF_BAND)
    )


def _within(these: Sequence[ApprovalTerms], others: Sequence[ApprovalTerms]) -> bool:
    """Return whether everybody who has a say under `these` has one under `others`."""
    named, known = _people(these), _people(others)
    return known is None or (named is not None and named <= known)


def _people(terms: Sequence[ApprovalTerms]) -> frozenset[str] | None:
    people: frozenset[str] = frozenset()
    for one in terms:
        if one.approvers is None:
            return None
        people |= one.approvers
    return people


def _of_owners(terms: Sequence[ApprovalTerms]) -> list[ApprovalTerms]:
    """Return the terms under which also the owner of the requesting agent has a say."""
    return [one for one in terms if not one.exclude_requester]
