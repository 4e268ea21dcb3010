"""The ledger of one policy test case: what its history holds, what is frozen, what its clock says."""

from collections.abc import Iterator
from typing import Final

from mcp_wallet.control.policy_test_file import Case, Freeze, HistoryEntry, TestFile
from mcp_wallet.core.amount import format_amount, parse_amount
from mcp_wallet.core.anomaly import Watch
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import NO_FACTS, Counters, Decision, Outcome
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.policy_language import time_ms
from mcp_wallet.core.policy_terms import recipient_address
from mcp_wallet.core.votes import Vote
from mcp_wallet.core.windows import Limit, Windows

_COUNTING: Final = frozenset({"confirmed", "held"})


class Past:
    """What a decision of the case knows of the past; a history that names unknown things is a `CallerError`."""

    def __init__(self, *, file: TestFile, policy: CompiledPolicy, case: Case) -> None:
        self._file = file
        self._policy = policy
        self._case = case
        self._asset = ""
        self._frozen = {covered for freeze in case.frozen for covered in self._freezes(freeze)}
        self._windows = Windows()
        self._watch = Watch()
        self._counting: list[Payment] = []
        history = [(time_ms(e.at), i, e) for i, e in enumerate(case.history)]
        for _, index, entry in sorted(history, key=lambda item: item[:2]):
            self._add(str(index), entry)
        newest = time_ms(case.clock.last) if case.clock else max((at for at, _, _ in history), default=0)
        self._last_event_ms = newest
        self._wall_ms = time_ms(case.now)
        self._now_ms = max(self._wall_ms, newest)

    def decide(self, draft: PaymentDraft) -> Decision:
        """Return Gate 1's answer for the payment."""
        intent = draft.intent("int_test")
        self._asset = intent.asset
        payment = Payment(
            agent=draft.agent_id,
            operation=draft.operation,
            chain=draft.chain.chain_id,
            asset=draft.asset.asset_id,
            to=draft.to,
            category=draft.category,
            amount_units=draft.amount_units,
            at_ms=self._now_ms,
        )
        imitated = self._file.book.imitated_by(payment.to)
        last = [p.at_ms for p in self._counting if (p.agent, p.to) == (payment.agent, payment.to)]
        counters = Counters(
            uses=tuple(self._windows.use(limit, payment, self._now_ms) for limit in self._policy.limits_for(payment)),
            frozen_by=self._frozen_by(payment),
            last_payment_ms=max(last, default=None),
            last_event_ms=self._last_event_ms,
            wall_ms=self._wall_ms,
            known_since_ms=self._policy.known_since(payment.to),
            imitates=imitated.name if imitated else "",
            anomalies=self._watch.found(payment, self._policy.anomaly),
            votes=tuple(Vote(v.by, v.vote == "approve", time_ms(v.at)) for v in self._case.approvals),
            requested_by=self._case.requested_by,
        )
        return decide(self._policy, intent, counters, NO_FACTS, self._now_ms)

    def remaining(self, decision: Decision | None) -> dict[str, str]:
        """Return what is left of the payment's limits, and of others that the case asks about, in human units."""
        decided = decision.remaining if decision else {}
        found = {}
        for limit in self._policy.limits:
            if limit.limit_id in decided:
                found[limit.limit_id] = self._human(limit, decided[limit.limit_id])
            elif limit.limit_id in self._case.expect.remaining:
                found[limit.limit_id] = self._human(limit, self._untouched(limit))
        return found

    def _add(self, payment_id: str, entry: HistoryEntry) -> None:
        chain = self._file.registry.chain(entry.chain or self._only_chain())
        asset = self._file.registry.asset(chain.chain_id, entry.asset)
        payment = Payment(
            agent=entry.agent,
            operation=entry.operation,
            chain=chain.chain_id,
            asset=asset.asset_id,
            to=recipient_address(entry.to, self._file.book),
            category=entry.category,
            amount_units=parse_amount(entry.amount, decimals=asset.decimals, unit=asset.unit),
            at_ms=time_ms(entry.at),
        )
        self._windows.hold(payment_id, payment)
        if entry.status == "confirmed":
            self._windows.confirm(payment_id)
        elif entry.status != "held":
            self._windows.release(payment_id)
        if entry.status in _COUNTING:
            self._counting.append(payment)
            self._watch.decided(payment_id, payment, Outcome.ALLOW, ())

    def _frozen_by(self, payment: Payment) -> tuple[str, ...]:
        values = {
            "all": "all",
            "agent": payment.agent,
            "asset": payment.asset,
            "chain": payment.chain,
            "recipient": payment.to,
        }
        return tuple(kind for kind, value in values.items() if (kind, value) in self._frozen)

    def _freezes(self, freeze: Freeze) -> Iterator[tuple[str, str]]:
        if freeze.all:
            yield "all", "all"
        if freeze.agent is not None:
            yield "agent", freeze.agent
        if freeze.asset is not None:
            yield from (("asset", asset.asset_id) for asset in self._file.registry.assets_of(freeze.asset))
        if freeze.chain is not None:
            yield "chain", self._file.registry.chain(freeze.chain).chain_id
        if freeze.recipient is not None:
            yield "recipient", recipient_address(freeze.recipient, self._file.book)

    def _untouched(self, limit: Limit) -> int:
        """Return what is left of a limit that the payment does not touch, in the payment's agent's group."""
        asset = next(iter(limit.max_units_by_asset or {}), "")
        agent = self._case.payment.get("agent", "")
        payment = Payment(
            agent=agent if isinstance(agent, str) else "",
            operation="",
            chain=ChainId(asset.partition("/")[0]),
            asset=AssetId(asset),
            to=Address(""),
            category="",
            amount_units=0,
            at_ms=self._now_ms,
        )
        use = self._windows.use(limit, payment, self._now_ms)
        if limit.max_units_by_asset is not None:
            return max(0, limit.max_units_by_asset[asset] - use.spent_units - use.held_units)
        if limit.max_count is not None:
            return max(0, limit.max_count - use.count)
        return max(0, (limit.max_distinct_recipients or 0) - use.distinct)

    def _only_chain(self) -> str:
        return self._policy.chains[0] if self._policy.chains else self._file.registry.chains[0].chain_id

    def _human(self, limit: Limit, left: int) -> str:
        """Return the number in the units of the payment's asset, or of the limit's when it is not the payment's."""
        assets = list(limit.max_units_by_asset or ())
        if not assets:
            return str(left)
        asset = self._asset if self._asset in assets else assets[0]
        return format_amount(left, self._file.registry.asset_by_id(AssetId(asset)).decimals)
