"""From the resolved policy document to an index that decides.

Compiling needs the document and the settings and nothing else: what an auditor holds by hash gives the same decisions
again. A document that `resolve_policy` did not make is refused, never guessed at.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.core.address_set import INLINE_MAX
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.document import as_items, as_mapping, as_text, number_at
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.matching import Matcher, Payment
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy_commitment import committed_hash, list_commitments
from mcp_wallet.core.policy_document import read_anomaly, read_limits, read_lists, read_rules
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.rule_index import ALLOW, Bucket, Rule, Scope, bucket_of, scope_of
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.windows import Limit

APPROVAL_TTL_MS: Final = 3_600_000
"""How long people have to answer when a policy does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledPolicy:
    """One version of a policy, ready to decide.

    Args:
        hash: `policyHash` of the resolved document.
        chains: Chains on which an allow rule can admit something and that the settings reach, in registry order.
        disclosure: What the agent may see: `full`, `remaining` or `coarse`.
        limits: In the policy's order.
        horizon_ms: Longest window of all limits; 0 without limits.
        cooldown_ms: Per agent and recipient, from the last admitted payment; 0 when there is none.
        new_recipient_hold_ms: From the time the recipient was listed; 0 when there is none.
        not_before_ms: First moment of validity; None when open.
        expires_at_ms: First moment after validity; None when open.
        is_timed: Whether validity, cooldown or hold has anything to say.
        anomaly: What the finding of a test leads to (`alert`, `requireApproval`, `deny`, `freeze`), per code.
        approval_ttl_ms: How long people have to answer: the shortest `ttl` of the approval rules.
        pending_max: Payments of one agent that may wait for approval.
        fee_caps: Per chain, most wei of fees for one transaction and for 24 hours.
        listings: Whom the versions of this policy listed that were in force one after the other, this one last; empty
            where nobody asks since when somebody is listed.
    """

    policy_id: str
    version: str
    hash: str
    settings_hash: str
    chains: tuple[ChainId, ...]
    disclosure: str
    rules: tuple[Rule, ...]
    limits: tuple[Limit, ...]
    horizon_ms: int
    cooldown_ms: int
    new_recipient_hold_ms: int
    not_before_ms: int | None
    expires_at_ms: int | None
    is_timed: bool
    anomaly: Mapping[ReasonCode, str]
    approval_ttl_ms: int
    pending_max: int
    fee_caps: Mapping[ChainId, tuple[int, int]]
    listings: tuple["Listing", ...] = field(default=(), repr=False, compare=False)
    _listed: tuple[AbstractSet[Address], ...] = field(repr=False, compare=False)
    _added: Mapping[Address, int] = field(repr=False, compare=False)
    _agents: frozenset[str] = field(repr=False, compare=False)
    _buckets: dict[tuple[str, str, str], Bucket] = field(default_factory=dict, repr=False, compare=False)
    _scopes: dict[str, Scope] = field(default_factory=dict, repr=False, compare=False)

    def bucket(self, agent: str, chain: str, asset: str, at_ms: int | None = None) -> Bucket:
        """Return what speaks about this agent, chain and asset; gathered once, then looked up.

        With a time only the rules whose hours cover it, without one all of them.
        """
        if agent not in self._agents:
            agent = ""
        found = self._buckets.get((agent, chain, asset))
        if found is None:
            found = bucket_of(self.rules, self.limits, agent=agent, chain=ChainId(chain), asset=AssetId(asset))
            self._buckets[agent, chain, asset] = found
        return found.open_at(at_ms) if found.hours and at_ms is not None else found

    def scope(self, agent: str) -> Scope:
        """Return what the agent's allow rules admit, part by part; gathered once, then looked up."""
        if agent not in self._agents:
            agent = ""
        found = self._scopes.get(agent)
        if found is None:
            found = self._scopes[agent] = scope_of(self.rules, agent=agent)
        return found

    def limits_for(self, payment: Payment) -> tuple[Limit, ...]:
        """Return the limits that match the payment, in the policy's order."""
        bucket = self.bucket(payment.agent, payment.chain, payment.asset)
        if bucket.plain_limits is not None:
            return bucket.plain_limits
        return tuple(limit for limit in bucket.limits if limit.matcher.matches(payment))

    def payable(self, book: AddressBook) -> tuple[str, ...]:
        """Return the names of payees that some allow rule can pay, in the book's order."""
        if any(r.effect == ALLOW and r.matcher.recipients is None for r in self.rules):
            return tuple(p.name for p in book.payees)
        return tuple(p.name for p in book.payees if self.lists(p.address))

    def per_transaction_max(self, agent: str, asset: AssetId) -> int | None:
        """Return the most that one payment may be under any allow rule, in base units; None when none speaks of it."""
        return self.bucket(agent, asset.partition("/")[0], asset).per_transaction_max

    def lists(self, address: Address) -> bool:
        """Return whether an allow rule names this recipient."""
        return any(address in recipients for recipients in self._listed)

    def payees(self) -> AbstractSet[Address]:
        """Return the addresses of the address book."""
        return self._added.keys()

    def known_since(self, address: Address) -> int | None:
        """Return when the recipient became known.

        A payee when it was added; an address of an allow list when the version came into force that first listed it,
        without a break since then (0 where no history is at hand); the later of both. None for an address that neither
        the address book nor an allow rule names.
        """
        added_ms = self._added.get(address)
        if not self.listings and added_ms is not None:
            return added_ms
        if not self.lists(address):
            return added_ms
        return max(added_ms or 0, self._listed_since(address))

    def _listed_since(self, address: Address) -> int:
        since_ms = 0
        for listing in reversed(self.listings):
            if not any(address in recipients for recipients in listing.recipients):
                break
            since_ms = listing.at_ms
        return since_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Whom one version's allow rules listed, and when it came into force."""

    at_ms: int
    recipients: tuple[AbstractSet[Address], ...]


def listing_of(document: Json, *, at_ms: int) -> Listing:
    """Return whom a resolved policy lists, from the time of its activation; errors as `compile_policy`."""
    try:
        fields = as_mapping(document)
        rules = read_rules(fields, read_lists(fields))
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed() from error
    allowing = (r.matcher.recipients for r in rules if r.effect == ALLOW and r.matcher.recipients is not None)
    return Listing(at_ms=at_ms, recipients=_distinct(allowing))


def compile_policy(document: Json, *, version: str, settings: Settings) -> CompiledPolicy:
    """Return the index of a resolved policy.

    Raises:
        OwnerError: `POLICY_INVALID` when the document is not one that `resolve_policy` made.
    """
    try:
        return _compile(as_mapping(document), version=version, settings=settings)
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed() from error


def _compile(document: Mapping[str, Json], *, version: str, settings: Settings) -> CompiledPolicy:
    lists, commitments = read_lists(document), list_commitments(document)
    rules, limits = read_rules(document, lists), read_limits(document, lists, commitments)
    allowing = [r.matcher for r in rules if r.effect == ALLOW]
    matchers = [r.matcher for r in rules] + [limit.matcher for limit in limits]
    validity = as_mapping(document["validity"])
    return CompiledPolicy(
        policy_id=as_text(document["id"]),
        version=version,
        hash=committed_hash(document, commitments),
        settings_hash=settings.hash,
        chains=_chains(allowing, settings),
        disclosure=as_text(document["disclosure"]),
        rules=rules,
        limits=limits,
        horizon_ms=max((limit.window.span_ms for limit in limits), default=0),
        anomaly=read_anomaly(document),
        cooldown_ms=number_at(document, "cooldown") or 0,
        new_recipient_hold_ms=number_at(document, "newRecipientHold") or 0,
        not_before_ms=number_at(validity, "notBefore"),
        expires_at_ms=number_at(validity, "expiresAt"),
        is_timed=bool(validity) or "cooldown" in document or "newRecipientHold" in document,
        approval_ttl_ms=_approval_ttl_ms(as_items(document["rules"])),
        pending_max=settings.pending_max,
        fee_caps={c: (s.max_fee_wei, s.max_fee_per_day_wei) for c, s in settings.chains.items()},
        _listed=_distinct(m.recipients for m in allowing if m.recipients is not None),
        _added={p.address: p.added_at_ms for p in reversed(settings.book.payees)},
        _agents=frozenset(agent for m in matchers if m.agents is not None for agent in m.agents),
    )


def _distinct(listed: Iterable[AbstractSet[Address]]) -> tuple[AbstractSet[Address], ...]:
    """Return the lists with all short ones as one: looking an address up does not grow with the rules."""
    found = {id(recipients): recipients for recipients in listed}.values()
    short = frozenset().union(*(x for x in found if len(x) <= INLINE_MAX))
    return (short, *(x for x in found if len(x) > INLINE_MAX))


def _approval_ttl_ms(rules: Sequence[Json]) -> int:
    asked = [as_mapping(rule).get("approval") for rule in rules]
    times = [number_at(as_mapping(approval), "ttl") for approval in asked if approval is not None]
    return min((t for t in times if t is not None), default=APPROVAL_TTL_MS)


def _chains(allowing: list[Matcher], settings: Settings) -> tuple[ChainId, ...]:
    """Return the chains of the allow rules; only those with a node, once the settings name any."""
    possible = {
        chain
        for m in allowing
        for asset in m.assets or ()
        if (chain := ChainId(asset.partition("/")[0])) in (m.chains or {chain}) and m.recipients != set()
    }
    reached = settings.chains or possible
    return tuple(c.chain_id for c in settings.registry.chains if c.chain_id in possible and c.chain_id in reached)


def _malformed() -> OwnerError:
    sentence = "The stored policy is not a resolved policy document: propose it again from its source."
    return OwnerError(ReasonCode.POLICY_INVALID, sentence)
