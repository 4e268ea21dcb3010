"""Two people: which change needs them, and who counts as the second.

Unless the home is solo, what loosens needs another person than the one who proposed it, and one who has existed for a
day: a new accomplice is noticed before it can matter. The people that `init` names are there from the beginning and
count at once; somebody with the whole machine in hand makes them both anyway, and the trail says so.
"""

from dataclasses import dataclass
from typing import Final

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Role

SECOND_PERSON_AFTER_MS: Final = 86_400_000
"""How long a person has existed before counting as the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An operator as the ledger has it.

    Args:
        since_ms: When it was created.
        is_founder: Whether `init` named it.
    """

    name: str
    roles: frozenset[Role]
    token_id: str
    since_ms: int
    is_founder: bool = False
    disabled: bool = False


def check_second(person: Person, *, proposed_by: str, solo: bool, now_ms: int) -> None:
    """Return when this person may be the second to what somebody proposed; roles are not asked here.

    Raises:
        CallerError: `SECOND_PERSON_REQUIRED`.
    """
    if solo:
        return
    if person.name == proposed_by:
        raise second_person_required("Somebody else than the person who proposed it must approve this.")
    if not person.is_founder and now_ms - person.since_ms < SECOND_PERSON_AFTER_MS:
        sentence = f"`{person.name}` has existed for less than 24 hours and cannot be the second person yet."
        raise second_person_required(sentence)


def second_person_required(sentence: str) -> CallerError:
    """Return the refusal of what one person may not do alone."""
    return CallerError(ReasonCode.SECOND_PERSON_REQUIRED, sentence)
