"""Which policy and which settings were in force, as the trail itself says; their documents by hash, hash checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from mcp_wallet.contract.events import parse_rfc3339_ms
from mcp_wallet.control.audit.trail import Trail
from mcp_wallet.core.address_set import ADDRESS_BYTES, AddressSet, ListCommitment
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy, compile_policy, listing_of
from mcp_wallet.core.document import as_mapping, as_text
from mcp_wallet.core.resolve import policy_hash
from mcp_wallet.core.settings import Settings, settings_of


class NotReplayable(Exception):  # noqa: N818  says what the decision is
    """An input of a decision is not kept, or is not what its hash says."""

    def __init__(self, name: str, digest: str) -> None:
        """Keep which input and the hash that names it."""
        super().__init__(name)
        self.name, self.digest = name, digest


@dataclass(slots=True)
class Inputs:
    """Follows the control plane's events; compiles each pair of documents once."""

    trail: Trail
    _settings: tuple[str, str] | None = None
    _policies: dict[str, tuple[str, str]] = field(default_factory=dict)
    _bound: dict[str, str] = field(default_factory=dict)
    _owners: dict[str, str] = field(default_factory=dict)
    _read: dict[tuple[str, str], Settings] = field(default_factory=dict)
    _activations: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    _compiled: dict[tuple[str, str, str, str, int], CompiledPolicy] = field(default_factory=dict)

    def follow(self, event: Mapping[str, Json]) -> None:
        """Note a change of what is in force."""
        kind = event["eventType"]
        if kind == "config_applied":
            self._settings = as_text(event["version"]), as_text(event["settingsHash"])
        elif kind in ("policy_activated", "policy_rolled_back"):
            policy_id, digest = as_text(event["policyId"]), as_text(event["policyHash"])
            self._policies[policy_id] = as_text(event["version"]), digest
            at_ms = parse_rfc3339_ms(as_text(event["timestamp"]))
            self._activations.setdefault(policy_id, []).append((at_ms, digest))
        elif kind == "agent_created":
            self._owners[as_text(event["agentId"])] = as_text(event.get("owner", ""))
        elif kind == "agent_bound":
            self._bound[as_text(event["agentId"])] = as_text(event["policyId"])

    def settings(self) -> Settings:
        """Return the settings in force; `NotReplayable` when they are not kept."""
        if self._settings is None:
            raise NotReplayable("settings", "")
        found = self._read.get(self._settings)
        if found is None:
            version, digest = self._settings
            found = settings_of(_parsed("settings", digest, self.trail.settings_text(digest)), version=version)
            if found.hash != digest:
                raise NotReplayable("settings", digest)
            self._read[version, digest] = found
        return found

    def owner_of(self, agent_id: str) -> str:
        """Return whose agent it is, empty for one that nobody made."""
        return self._owners.get(agent_id, "")

    def policy_of(self, agent_id: str) -> CompiledPolicy:
        """Return the policy that the agent is under; `NotReplayable` when there is none or it is not kept."""
        settings = self.settings()
        active = self._policies.get(self._bound.get(agent_id, ""))
        if active is None:
            raise NotReplayable("policy", "")
        version, digest = active
        activations = self._activations.get(self._bound.get(agent_id, ""), [])
        key = (version, digest, settings.version, settings.hash, len(activations))
        found = self._compiled.get(key)
        if found is None:
            found = compile_policy(self._document(digest), version=version, settings=settings)
            if found.new_recipient_hold_ms:
                listings = [listing_of(self._document(named), at_ms=at_ms) for at_ms, named in activations]
                found = replace(found, listings=tuple(listings))
            self._compiled[key] = found
        return found

    def _document(self, digest: str) -> Json:
        """Return a policy with its lists, hash checked."""
        document = as_mapping(_parsed("policy", digest, self.trail.policy_text(digest)))
        if policy_hash(document) != digest:
            raise NotReplayable("policy", digest)
        return {**document, "lists": self._lists(digest, as_mapping(document["lists"]))}

    def _lists(self, digest: str, lists: Mapping[str, Json]) -> dict[str, Json]:
        """Return the policy's lists, the long ones read and hashed again."""
        return {name: self._list(digest, x) if isinstance(x, Mapping) else x for name, x in lists.items()}

    def _list(self, digest: str, commitment: Mapping[str, Json]) -> ListCommitment:
        packed = self.trail.policy_list(as_text(commitment["root"]))
        if packed is None or len(packed) % ADDRESS_BYTES:
            raise NotReplayable("policy", digest)
        found = ListCommitment(AddressSet(packed))
        if found != commitment:
            raise NotReplayable("policy", digest)
        return found


def _parsed(name: str, digest: str, text: str | None) -> Json:
    if text is None:
        raise NotReplayable(name, digest)
    try:
        document: Json = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotReplayable(name, digest) from error
    return document
