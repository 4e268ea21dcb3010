"""A diff of two policies for people and programs: names, human amounts, and each witness in full."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mcp_wallet.contract.events import rfc3339
from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Decision
from mcp_wallet.core.diff import Change, PolicyDiff
from mcp_wallet.core.diff_space import OTHER_AGENT
from mcp_wallet.core.diff_terms import Direction, TermChange
from mcp_wallet.core.diff_witness import Witness
from mcp_wallet.core.identifiers import Address, AssetId
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy_document import UNITS_MAX
from mcp_wallet.core.settings import Settings

SHOWN_MAX: Final = 40
"""Changes of one kind that are told to people; `--json` has all of them."""
_DIRECTIONS: Final = {Direction.TIGHTENS: "tightens", Direction.LOOSENS: "loosens"}
_TITLES: Final = {
    "newlyAllowed": "Newly allowed",
    "needsApproval": "Newly needs approval",
    "newlyDenied": "Newly denied",
}


@dataclass(frozen=True, slots=True)
class DiffText:
    """Writes a diff with the names of the settings that it was made under."""

    settings: Settings

    def document(self, found: PolicyDiff, old: CompiledPolicy | None, new: CompiledPolicy) -> dict[str, Json]:
        """Return the diff for `--json`."""
        return {
            "classification": str(found.classification),
            "complete": found.is_complete,
            "old": None if old is None else _version(old),
            "new": _version(new),
            "newlyAllowed": [self._change(c) for c in found.newly_allowed],
            "needsApproval": [self._change(c) for c in found.needs_approval],
            "newlyDenied": [self._change(c) for c in found.newly_denied],
            "terms": [_term(t) for t in found.terms],
        }

    def lines(self, found: PolicyDiff, old: CompiledPolicy | None, new: CompiledPolicy) -> Iterator[str]:
        """Yield the diff for people."""
        before = "nothing in force" if old is None else f"{old.policy_id} ({old.hash[:19]}…)"
        yield f"{before} -> {new.policy_id} ({new.hash[:19]}…): {found.classification}"
        if not found.is_complete:
            yield "There is too much to compare piece by piece: the change counts as both."
        kinds = (found.newly_allowed, found.needs_approval, found.newly_denied)
        for title, changes in zip(_TITLES.values(), kinds, strict=True):
            if changes:
                yield f"{title}:"
            for change in changes[:SHOWN_MAX]:
                yield from self._told(change)
            if len(changes) > SHOWN_MAX:
                yield f"  … and {len(changes) - SHOWN_MAX} more: `--json` has all of them."
        if found.terms:
            yield "Terms:"
            yield from (f"  {self._term(term)}" for term in found.terms)

    def _told(self, change: Change) -> Iterator[str]:
        agents = ", ".join(_agent(a) for a in change.agents)
        assets = ", ".join(self._asset_name(a) for a in change.assets)
        whom = "anyone whom no list names" if change.recipients is None else f"{change.recipients} recipients"
        if change.recipients == 1:
            whom = self._name(change.recipient)
        amounts = ", ".join(self._stretch(low, high, change.assets[0]) for low, high in change.amounts)
        after = f" after {'; '.join(self._term(t) for t in change.terms)}" if change.terms else ""
        yield f"  {agents}: {assets} to {whom}, {amounts}: {change.before} -> {change.after}{after}"
        witness = change.example.witness
        yield f"    for example {self._sentence(witness)}"
        yield f"    before: {_told_decision(change.example.before)}; after: {_told_decision(change.example.after)}"

    def _sentence(self, witness: Witness) -> str:
        p = witness.payment
        amount = self._amount(p.amount_units, p.asset)
        past = f", after {self._past(witness)}" if witness.past else ""
        votes = ", ".join(f"{v.by} {'approves' if v.approves else 'rejects'}" for v in witness.votes)
        category = f" for {p.category}" if p.category else ""
        at = rfc3339(p.at_ms)
        said = f" ({votes})" if votes else ""
        return f"{_agent(p.agent)} pays {amount}{category} to {self._name(p.to)} at {at}{past}{said}"

    def _past(self, witness: Witness) -> str:
        p = witness.past[0].payment
        times = sum(past.times for past in witness.past)
        often = "" if times == 1 else f"{times} payments like "
        return f"{often}{self._amount(p.amount_units, p.asset)} to {self._name(p.to)} at {rfc3339(p.at_ms)}"

    def _change(self, change: Change) -> Json:
        return {
            "before": str(change.before),
            "after": str(change.after),
            "agents": [_agent(a) for a in change.agents],
            "assets": [*change.assets],
            "recipient": change.recipient,
            "recipients": "" if change.recipients is None else str(change.recipients),
            "amounts": [
                {"from": self._amount(low, change.assets[0]), "to": self._amount(high, change.assets[0])}
                for low, high in change.amounts
            ],
            "terms": [_term(t) for t in change.terms],
            "witness": self._witness(change.example.witness),
            "decidedBefore": _decision(change.example.before),
            "decidedAfter": _decision(change.example.after),
        }

    def _witness(self, witness: Witness) -> Json:
        return {
            "payment": self._payment(witness.payment),
            "past": [{**self._payment(p), "times": str(times)} for p, times in witness.past],
            "votes": [{"by": v.by, "approves": v.approves, "at": rfc3339(v.at_ms)} for v in witness.votes],
            "requestedBy": witness.requested_by,
            "imitatesPayee": witness.imitates,
            "anomalies": [str(a.code) for a in witness.anomalies],
        }

    def _payment(self, payment: Payment) -> dict[str, Json]:
        return {
            "agent": _agent(payment.agent),
            "operation": payment.operation,
            "chain": payment.chain,
            "asset": payment.asset,
            "to": payment.to,
            "category": payment.category,
            "amount": self._amount(payment.amount_units, payment.asset),
            "amountUnits": str(payment.amount_units),
            "at": rfc3339(payment.at_ms),
        }

    def _term(self, term: TermChange) -> str:
        subject = " ".join(part for part in (term.subject, term.name) if part)
        before, after = (self._value(term, value) for value in (term.before, term.after))
        return f"{subject}: {before} -> {after} ({_DIRECTIONS[term.direction]})"

    def _value(self, term: TermChange, value: str) -> str:
        if not value:
            return "nothing"
        if term.asset:
            return self._amount(int(value), AssetId(term.asset))
        if term.subject in {"cooldown", "approvalTime"}:
            return f"{int(value) // 1000} s"
        return f"until {rfc3339(int(value))}" if term.subject == "newRecipientHold" else value

    def _stretch(self, low: int, high: int, asset: AssetId) -> str:
        if high == UNITS_MAX:
            return f"from {self._amount(low, asset)} on"
        return self._amount(low, asset) if low == high else f"{self._amount(low, asset)} to {self._amount(high, asset)}"

    def _amount(self, units: int, asset: AssetId) -> str:
        found = self.settings.registry.asset_by_id(asset)
        return f"{format_amount(units, found.decimals)} {found.unit}"

    def _asset_name(self, asset: AssetId) -> str:
        found = self.settings.registry.asset_by_id(asset)
        return f"{found.symbol} on {self.settings.registry.chain(found.chain).name}"

    def _name(self, address: Address) -> str:
        payee = self.settings.book.by_address.get(address)
        return address if payee is None else f"{payee.name} ({address})"


def _version(policy: CompiledPolicy) -> dict[str, Json]:
    return {"policyId": policy.policy_id, "version": policy.version, "policyHash": policy.hash}


def _term(term: TermChange) -> dict[str, Json]:
    return {
        "subject": term.subject,
        "name": term.name,
        "direction": _DIRECTIONS[term.direction],
        "before": term.before,
        "after": term.after,
        "asset": term.asset,
    }


def _decision(decision: Decision) -> Mapping[str, Json]:
    return {"decision": str(decision.outcome), "reasons": [r.document() for r in decision.reasons]}


def _told_decision(decision: Decision) -> str:
    return f"{decision.outcome} ({', '.join(decision.codes)})"


def _agent(agent: str) -> str:
    return "any other agent" if agent.startswith(OTHER_AGENT) else agent
