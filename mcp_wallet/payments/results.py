"""From ledger values to the flat results that doors show, as far as the policy discloses them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcp_wallet.contract.events import rfc3339
from mcp_wallet.contract.results import BudgetResult, PaymentList, PaymentResult
from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.anomaly import CODES
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.decision import Decision, Outcome, Reason
from mcp_wallet.core.identifiers import Address, AssetId, checksum_address
from mcp_wallet.core.intent import Agent, PaymentDraft
from mcp_wallet.core.lifecycle import HELD, TOOL_STATUS
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Asset
from mcp_wallet.core.settings import Settings
from mcp_wallet.payments.messages import sentence
from mcp_wallet.ports import BudgetLine, PaymentRecord

_SIMULATED: Final = {
    Outcome.ALLOW: "would be allowed, if the chain agrees and nothing changes",
    Outcome.DENY: "would be denied",
    Outcome.REQUIRE_APPROVAL: "would wait for a person's approval",
}
_FOR_PEOPLE: Final = frozenset(CODES.values())


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, and by which policy and settings."""

    agent: Agent
    policy: CompiledPolicy
    settings: Settings

    @property
    def sees_remaining(self) -> bool:
        """Whether the policy discloses what is left."""
        return self.policy.disclosure in ("full", "remaining")

    @property
    def sees_limits(self) -> bool:
        """Whether the policy discloses limits and what is spent."""
        return self.policy.disclosure == "full"


def payment_result(
    record: PaymentRecord, viewer: Viewer, *, checkpoint: str, replayed: bool, confirmations: int | None = None
) -> PaymentResult:
    """Return a ledger record as a result.

    Args:
        confirmations: Blocks that confirm it, said in its message; None when nobody counted them.
    """
    intent, registry = record.intent, viewer.settings.registry
    asset, chain = registry.asset_by_id(AssetId(intent.asset)), registry.chain(intent.chain)
    amount = format_amount(intent.amount_units, asset.decimals)
    codes = (ReasonCode(record.ended_by),) if record.ended_by else _told(record.outcome, record.reasons)
    what = f"{amount} {asset.unit} on {chain.name} to {record.payee or checksum_address(Address(intent.to))}"
    return PaymentResult(
        status=TOOL_STATUS[record.state],
        payment_id=record.payment_id,
        decision=str(record.outcome),
        reason_codes=[str(c) for c in dict.fromkeys(codes)],
        message=sentence(record.state, what, codes, replayed=replayed) + _blocks(confirmations),
        amount=amount,
        asset=asset.symbol,
        chain=chain.name,
        to=checksum_address(Address(intent.to)),
        fingerprint=record.fingerprint,
        transaction_hash=record.transaction_hash,
        explorer_url=f"{chain.explorer}/tx/{record.transaction_hash}"
        if chain.explorer and record.transaction_hash
        else "",
        final=record.state not in HELD,
        remaining=_remaining(record.remaining_units, asset, viewer),
        replayed=replayed,
        checkpoint=checkpoint,
    )


def simulated_result(decision: Decision, draft: PaymentDraft, viewer: Viewer, *, checkpoint: str) -> PaymentResult:
    """Return a decision that reserved nothing as a result; its status says what would come of it."""
    amount = format_amount(draft.amount_units, draft.asset.decimals)
    what = f"{amount} {draft.asset.unit} on {draft.chain.name} to {draft.payee or checksum_address(draft.to)}"
    codes = _told(decision.outcome, decision.reasons)
    outlook = f"{_SIMULATED[decision.outcome]} ({'; '.join(codes)})"
    return PaymentResult(
        status="denied"
        if decision.outcome is Outcome.DENY
        else "pending_approval"
        if decision.outcome is Outcome.REQUIRE_APPROVAL
        else "submitted",
        payment_id="",
        decision=str(decision.outcome),
        reason_codes=[str(c) for c in codes],
        message=f"Simulation only, nothing was paid or reserved: {what} {outlook}.",
        amount=amount,
        asset=draft.asset.symbol,
        chain=draft.chain.name,
        to=checksum_address(draft.to),
        fingerprint="",
        transaction_hash="",
        explorer_url="",
        final=False,
        remaining=_remaining(min(decision.remaining.values(), default=None), draft.asset, viewer),
        replayed=False,
        checkpoint=checkpoint,
    )


def budget_result(
    lines: Sequence[BudgetLine], frozen: tuple[str, ...], viewer: Viewer, *, asset: str, chain: str
) -> BudgetResult:
    """Return the budgets, filtered by asset symbol or id and chain name, blanked by disclosure."""
    registry = viewer.settings.registry
    shown = []
    for line in lines:
        found = registry.asset_by_id(line.asset)
        names = [registry.chain(c).name for c in line.chains]
        if asset not in ("", found.symbol, found.asset_id) or (chain and chain not in (*names, *line.chains)):
            continue
        shown.append((line, found, names))
    message = "; ".join(_budget_words(line, found, viewer) for line, found, _ in shown)
    if frozen:
        message = f"Payments are stopped by an operator. {message}"
    return BudgetResult(
        message=message or "No budget of your policy matches.",
        assets=[found.symbol for _, found, _ in shown],
        chains=[" ".join(names) for _, _, names in shown],
        windows=[line.window for line, _, _ in shown],
        limits=[_figure(line.limit_units, line.limit_count, f, show=viewer.sees_limits) for line, f, _ in shown],
        spent=[_figure(line.spent_units, None, f, show=viewer.sees_limits) for line, f, _ in shown],
        held=[_figure(line.held_units, None, f, show=viewer.sees_limits) for line, f, _ in shown],
        remaining=[_left(line, f, viewer) for line, f, _ in shown],
        frozen=bool(frozen),
    )


def list_result(records: Sequence[PaymentRecord], viewer: Viewer) -> PaymentList:
    """Return payments as parallel lists."""
    registry = viewer.settings.registry
    assets = [registry.asset_by_id(AssetId(r.intent.asset)) for r in records]
    return PaymentList(
        message=f"{len(records)} payments, newest first." if records else "No payments yet.",
        payment_ids=[r.payment_id for r in records],
        statuses=[TOOL_STATUS[r.state] for r in records],
        amounts=[format_amount(r.intent.amount_units, a.decimals) for r, a in zip(records, assets, strict=True)],
        assets=[a.symbol for a in assets],
        chains=[registry.chain(r.intent.chain).name for r in records],
        recipients=[r.payee or checksum_address(Address(r.intent.to)) for r in records],
        references=[r.intent.reference for r in records],
        times=[rfc3339(r.decided_at_ms) for r in records],
    )


def _told(outcome: Outcome, reasons: Sequence[Reason]) -> tuple[ReasonCode, ...]:
    """Return the codes that the agent is told: what raised an alert and refused nothing is for people."""
    codes = dict.fromkeys(r.code for r in reasons)
    return tuple(code for code in codes if outcome is Outcome.DENY or code not in _FOR_PEOPLE)


def _blocks(confirmations: int | None) -> str:
    if confirmations is None:
        return ""
    return f" Confirmed by {confirmations} block{'' if confirmations == 1 else 's'} so far."


def _remaining(units: int | None, asset: Asset, viewer: Viewer) -> str:
    return "" if units is None or not viewer.sees_remaining else format_amount(units, asset.decimals)


def _left(line: BudgetLine, asset: Asset, viewer: Viewer) -> str:
    if not viewer.sees_remaining:
        return ""
    if line.limit_units is not None:
        return format_amount(max(0, line.limit_units - line.spent_units - line.held_units), asset.decimals)
    return "" if line.limit_count is None else f"{max(0, line.limit_count - line.count)} payments"


def _figure(units: int | None, count: int | None, asset: Asset, *, show: bool) -> str:
    if not show or (units is None and count is None):
        return ""
    return f"{count} payments" if units is None else format_amount(units, asset.decimals)


def _budget_words(line: BudgetLine, asset: Asset, viewer: Viewer) -> str:
    window = line.window
    if not viewer.sees_remaining:
        return f"{asset.unit}: limited per {window}, amounts not disclosed"
    left = _left(line, asset, viewer)
    return f"{left if 'payments' in left else f'{left} {asset.unit}'} left in {window}"
