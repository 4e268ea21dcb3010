"""People: who holds which token and which roles; methods run on the connection's thread, inside a transaction."""

import hmac
from dataclasses import dataclass
from typing import Final

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.control_trail import ControlTrail
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.four_eyes import Person, check_second
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Role, Verb, check, format_roles, parse_roles
from mcp_wallet.ports import Actor

_READ: Final = "SELECT name, roles, token_id, created_at_ms, founder, disabled, token_hash FROM operator"


@dataclass(slots=True)
class Operators:
    """The table of people."""

    raw: Raw
    trail: ControlTrail

    def add(self, person: Person, token_hash: str, actor: Actor) -> None:
        """Create a person; the token itself is never stored.

        Raises:
            CallerError: `INTENT_INVALID` when the name is taken.
        """
        self.check_new(person.name)
        roles = format_roles(person.roles)
        self.raw.execute(
            "INSERT INTO operator (name, roles, token_id, token_hash, created_at_ms, founder, disabled) "
            "VALUES (?, ?, ?, ?, ?, ?, 0)",
            (person.name, roles, person.token_id, token_hash, self.trail.now(), int(person.is_founder)),
        )
        payload: dict[str, Json] = {"operator": person.name, "roles": roles, "tokenId": person.token_id}
        payload["founder"] = person.is_founder
        self.trail.event(EventType.OPERATOR_CREATED, payload, actor)

    def change_roles(self, name: str, roles: frozenset[Role], actor: Actor) -> None:
        """Give a person other roles."""
        before = self.check_roles(name, roles)
        text = format_roles(roles)
        self.raw.execute("UPDATE operator SET roles = ? WHERE name = ?", (text, name))
        payload = {"operator": name, "roles": text, "rolesBefore": format_roles(before.roles)}
        self.trail.event(EventType.OPERATOR_ROLE_CHANGED, payload, actor)

    def disable(self, name: str, reason: str, actor: Actor) -> None:
        """Take a person's token away at once; the name stays taken, for the trail's sake."""
        self.authorize(actor, Verb.GOVERN)
        self._keep_one_admin(self.get(name), frozenset())
        self.raw.execute("UPDATE operator SET disabled = 1 WHERE name = ?", (name,))
        self.trail.event(EventType.OPERATOR_DISABLED, {"operator": name, "reason": reason}, actor)

    def find(self, token_id: str, token_hash: str) -> Person | None:
        """Return who holds the token, compared in constant time; None when nobody does."""
        row = self.raw.execute(f"{_READ} WHERE token_id = ?", (token_id,)).fetchone()
        if row is None or not hmac.compare_digest(row[-1], token_hash):
            return None
        return _person(row)

    def get(self, name: str) -> Person:
        """Return one person; `CallerError(INTENT_INVALID)` for a name nobody has."""
        row = self._row(name)
        if row is None:
            sentence = f"No operator is called `{name[:64]}`: `mcp-wallet operator list` shows them."
            raise CallerError(ReasonCode.INTENT_INVALID, sentence)
        return _person(row)

    def all(self) -> list[Person]:
        """Return everybody, by name."""
        return [_person(row) for row in self.raw.execute(f"{_READ} ORDER BY name").fetchall()]

    def authorize(self, actor: Actor, verb: Verb) -> None:
        """Return when the actor may do this now; only operators are asked.

        Raises:
            CallerError: `PERMISSION_DENIED`, or `CREDENTIAL_REVOKED` for somebody who was disabled meanwhile.
        """
        if actor.kind == "operator":
            authorize(self.get(actor.name), verb)

    def second(self, actor: Actor, verb: Verb, *, proposed_by: str) -> None:
        """Return when the actor may be the second person to what somebody proposed.

        Raises:
            CallerError: `PERMISSION_DENIED | CREDENTIAL_REVOKED | SECOND_PERSON_REQUIRED`.
        """
        self.authorize(actor, verb)
        solo, now_ms = self.trail.solo, self.trail.now()
        check_second(self.get(actor.name), proposed_by=proposed_by, solo=solo, now_ms=now_ms)

    def check_new(self, name: str) -> None:
        """Return when the name is free; raises as `add`."""
        if self._row(name) is not None:
            raise CallerError(ReasonCode.INTENT_INVALID, f"An operator called `{name[:64]}` exists already.")

    def check_roles(self, name: str, roles: frozenset[Role]) -> Person:
        """Return the person when it may have these roles instead of its own.

        Raises:
            CallerError: `INTENT_INVALID` for a name nobody has; `PERMISSION_DENIED` when no admin would be left.
        """
        person = self.get(name)
        self._keep_one_admin(person, roles)
        return person

    def _row(self, name: str) -> tuple[object, ...] | None:
        row: tuple[object, ...] | None = self.raw.execute(f"{_READ} WHERE name = ?", (name,)).fetchone()
        return row

    def _keep_one_admin(self, person: Person, roles: frozenset[Role]) -> None:
        """Refuse what would leave nobody who can add people."""
        admins = [p for p in self.all() if Role.ADMIN in p.roles and not p.disabled and p.name != person.name]
        if Role.ADMIN in person.roles and Role.ADMIN not in roles and not admins:
            raise CallerError(ReasonCode.PERMISSION_DENIED, f"`{person.name}` is the only admin: name another first.")


def authorize(person: Person, verb: Verb) -> None:
    """Return when this person may do this; raises as `Operators.authorize`."""
    if person.disabled:
        raise CallerError(ReasonCode.CREDENTIAL_REVOKED, "This operator token was revoked: ask an admin.")
    check(person.name, person.roles, verb)


def _person(row: tuple[object, ...]) -> Person:
    name, roles, token_id, created_at_ms, founder, disabled, _ = row
    return Person(
        name=str(name),
        roles=parse_roles(str(roles)),
        token_id=str(token_id),
        since_ms=int(str(created_at_ms)),
        is_founder=bool(founder),
        disabled=bool(disabled),
    )
