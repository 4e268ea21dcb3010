"""What a proposal does when it comes into force; methods run on the connection's thread, inside a transaction.

`check` says beforehand everything that speaks against it: once an event of the transaction is written, nothing may
refuse any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mcp_wallet.adapters.sqlite.agents import Agents
from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.control_trail import ControlTrail
from mcp_wallet.adapters.sqlite.operators import Operators
from mcp_wallet.adapters.sqlite.versions import Versions
from mcp_wallet.contract.changes import Change, ChangeKind, NewChange
from mcp_wallet.contract.events import EventType
from mcp_wallet.core.address_book import with_payee
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.four_eyes import Person
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Verb, may, parse_roles
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settings_changes import next_settings, source_hash
from mcp_wallet.ports import Actor, AgentRow

Body = Mapping[str, Any]


@dataclass(slots=True)
class Effects:
    """Puts proposals in force.

    Args:
        own: The home's account, which is nobody's payee.
    """

    raw: Raw
    trail: ControlTrail
    operators: Operators
    agents: Agents
    versions: Versions
    own: Address

    def next_version(self, new: NewChange) -> int:
        """Return the version that the proposal is about, storing a new policy version; 0 where there are none."""
        if new.kind is ChangeKind.SETTINGS:
            return int(self._settings().version) + 1
        if new.kind is not ChangeKind.POLICY:
            return 0
        return new.version or self.versions.store_policy(new.subject, new.hash, new.body)

    def check(self, kind: ChangeKind, subject: str, body: Json, base_hash: str) -> None:
        """Return when nothing speaks against it now.

        Raises:
            CallerError: `POLICY_CHANGED` when it was compared with what is no longer in force; `INTENT_INVALID`,
                `RECIPIENT_INVALID` for what cannot be done any more.
            OwnerError: `POLICY_MISSING | CONFIG_UNAPPROVED`.
        """
        found = cast("Body", body)
        if kind is ChangeKind.POLICY and self.versions.active_hash(subject) != base_hash:
            raise _overtaken(f"the active version of `{subject}`")
        if kind is ChangeKind.SETTINGS:
            if source_hash(self._settings()) != base_hash:
                raise _overtaken("the settings in force")
            self._check_leaving_solo(next_settings(self._settings(), found["source"]))
        elif kind is ChangeKind.PAYEE:
            self._with_payee(found)
        else:
            self._check_people(kind, subject, found)

    def _check_people(self, kind: ChangeKind, subject: str, body: Body) -> None:
        if kind is ChangeKind.AGENT:
            self.agents.check_new(subject, body["policyId"])
        elif kind is ChangeKind.BINDING:
            self.agents.check_binding(subject, body["policyId"])
        elif kind is ChangeKind.OPERATOR:
            self.operators.check_new(subject)
        elif kind is ChangeKind.ROLES:
            self.operators.check_roles(subject, parse_roles(body["roles"]))

    def put_in_force(self, change: Change, actor: Actor) -> None:
        """Do what the proposal says; `check` has passed in this transaction."""
        body = cast("Body", change.body)
        if change.kind is ChangeKind.POLICY:
            self.versions.activate_policy(change.subject, change.version, self._context(change), actor)
        elif change.kind is ChangeKind.SETTINGS:
            self.versions.apply_settings(next_settings(self._settings(), body["source"]), self._context(change), actor)
        elif change.kind is ChangeKind.PAYEE:
            self._add_payee(change, body, actor)
        elif change.kind is ChangeKind.AGENT:
            self._add_agent(change, body, actor)
        elif change.kind is ChangeKind.BINDING:
            self.agents.bind(change.subject, body["policyId"], body["category"], actor)
        else:
            self._people_or_release(change, body, actor)

    # -- parts -----------------------------------------------------------------------------------------------

    def _people_or_release(self, change: Change, body: Body, actor: Actor) -> None:
        if change.kind is ChangeKind.OPERATOR:
            roles, token_id = parse_roles(body["roles"]), body["tokenId"]
            person = Person(name=change.subject, roles=roles, token_id=token_id, since_ms=self.trail.now())
            self.operators.add(person, body["tokenHash"], actor)
        elif change.kind is ChangeKind.ROLES:
            self.operators.change_roles(change.subject, parse_roles(body["roles"]), actor)
        else:
            self.release(str(body["kind"]), str(body["value"]), change.reason, actor)

    def release(self, kind: str, value: str, reason: str, actor: Actor) -> bool:
        """Release a freeze; False when nothing was frozen so."""
        if (kind, value) not in self.trail.state.books.freezes:
            return False
        self.raw.execute("DELETE FROM freeze WHERE kind = ? AND value = ?", (kind, value))
        self.trail.event(EventType.KILL_SWITCH_RELEASED, {"kind": kind, "value": value, "reason": reason}, actor)
        return True

    def _add_payee(self, change: Change, body: Body, actor: Actor) -> None:
        following = self._with_payee(body)
        detail: dict[str, Json] = {key: body[key] for key in ("name", "address", "category")}
        events = [(EventType.PAYEE_ADDED, detail)]
        self.versions.apply_settings(following, self._context(change), actor, events=events)

    def _with_payee(self, body: Body) -> Settings:
        return with_payee(
            self._settings(),
            name=body["name"],
            address=Address(body["address"]),
            category=body["category"],
            own=self.own,
            now_ms=self.trail.now(),
        )

    def _add_agent(self, change: Change, body: Body, actor: Actor) -> None:
        row = AgentRow(
            agent_id=change.subject,
            policy_id=body["policyId"],
            policy_hash="",
            category=body["category"],
            key_id=body["keyId"],
            created_at_ms=0,
            expires_at_ms=None,
            disabled=False,
            owner=change.proposed_by,
        )
        self.agents.add(row, body["secretHash"], actor)

    def _check_leaving_solo(self, following: Settings) -> None:
        """Refuse to leave solo for a home in which nobody could be the second person."""
        if following.solo or not self._settings().solo:
            return
        people = [p for p in self.operators.all() if not p.disabled]
        proposers = {p.name for p in people if may(p.roles, Verb.PROPOSE)}
        seconds = {p.name for p in people if may(p.roles, Verb.APPROVE)}
        if not any(one != other for one in proposers for other in seconds):
            sentence = "A home that is not solo needs an operator and another person who approves: add them first."
            raise CallerError(ReasonCode.SECOND_PERSON_REQUIRED, sentence)

    def _settings(self) -> Settings:
        settings = self.trail.state.control.settings
        assert settings is not None, "a home that is in use has settings"  # noqa: S101
        return settings

    def _context(self, change: Change) -> dict[str, Json]:
        return {
            "changeId": change.change_id,
            "classification": str(change.classification),
            "proposedBy": change.proposed_by,
            "approvedBy": list(change.approved_by),
            "reason": change.reason,
        }


def _overtaken(what: str) -> CallerError:
    sentence = f"Since this was proposed, {what} changed: propose it again."
    return CallerError(ReasonCode.POLICY_CHANGED, sentence)
