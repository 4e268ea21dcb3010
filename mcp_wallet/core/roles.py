"""Who may do what on the control plane: one table, asked in one function.

A person holds one role or several. Four eyes are about persons, not roles: whoever proposed never counts as the second.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode


class Role(StrEnum):
    """What a person is in this home."""

    VIEWER = "viewer"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


class Verb(StrEnum):
    """What can be done, as far as it is told apart."""

    SEE = "see state, budgets and payments"
    AUDIT = "read the trail"
    PROPOSE = "propose policies, settings, payees and agents, and rotate agent keys"
    APPROVE = "approve payments and proposals, and release what was stopped"
    GOVERN = "add operators and change their roles"
    STOP = "stop payments and revoke keys"


ALL_ROLES: Final = frozenset(Role)
_STOPPERS: Final = frozenset({Role.OPERATOR, Role.APPROVER, Role.ADMIN})
WHO: Final[Mapping[Verb, frozenset[Role]]] = {
    Verb.SEE: ALL_ROLES,
    Verb.AUDIT: frozenset({Role.AUDITOR}),
    Verb.PROPOSE: frozenset({Role.OPERATOR}),
    Verb.APPROVE: frozenset({Role.APPROVER}),
    Verb.GOVERN: frozenset({Role.ADMIN}),
    Verb.STOP: _STOPPERS,
}
"""The table of SPEC section 9."""


def may(roles: Iterable[Role], verb: Verb) -> bool:
    """Return whether somebody with these roles may do this."""
    return not WHO[verb].isdisjoint(roles)


def check(name: str, roles: Iterable[Role], verb: Verb) -> None:
    """Return when the person may do this.

    Raises:
        CallerError: `PERMISSION_DENIED`, naming the roles that may.
    """
    if not may(roles, verb):
        wanted = " or ".join(f"`{role}`" for role in Role if role in WHO[verb])
        raise CallerError(
            ReasonCode.PERMISSION_DENIED, f"To {verb} takes the role {wanted}, which `{name[:64]}` does not have."
        )


def parse_roles(text: str) -> frozenset[Role]:
    """Return the roles of a comma-separated list.

    Raises:
        CallerError: `INTENT_INVALID` for a name that is none, or for none at all.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    known = ", ".join(Role)
    for name in names:
        if name not in set(Role):
            raise CallerError(ReasonCode.INTENT_INVALID, f"No role is called `{name[:40]}`: send some of {known}.")
    if not names:
        raise CallerError(ReasonCode.INTENT_INVALID, f"An operator needs a role: send some of {known}.")
    return frozenset(Role(name) for name in names)


def format_roles(roles: Iterable[Role]) -> str:
    """Return the roles as text, in the table's order."""
    held = frozenset(roles)
    return ",".join(role for role in Role if role in held)
