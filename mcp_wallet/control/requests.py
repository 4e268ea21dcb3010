"""A payment that waits, as a person sees it: what the ledger knows, always in one order; then what the agent wrote.

Nothing that the agent wrote stands among the facts, and no link or name in it carries any authority.
"""

from collections.abc import Iterator

from mcp_wallet.contract.approvals import approval_id
from mcp_wallet.contract.events import rfc3339
from mcp_wallet.control_ports import ApprovalRequest
from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.document import as_items, as_mapping, as_text
from mcp_wallet.core.identifiers import Address, AssetId, checksum_address
from mcp_wallet.core.number_words import amount_words
from mcp_wallet.core.registry import Registry
from mcp_wallet.core.votes import ApprovalTerms

_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_TEENS = (11, 12, 13)
_GROUP_CHARACTERS = 4


def request_document(request: ApprovalRequest, registry: Registry) -> dict[str, Json]:
    """Return the request for programs; amounts as decimal text in whole units."""
    record, intent = request.record, request.record.intent
    asset = registry.asset_by_id(AssetId(intent.asset))
    return {
        "approvalId": approval_id(record.payment_id),
        "paymentId": record.payment_id,
        "agentId": intent.agent_id,
        "amount": format_amount(intent.amount_units, asset.decimals),
        "amountWords": _words(request, registry),
        "asset": asset.symbol,
        "chain": registry.chain(intent.chain).name,
        "payee": record.payee,
        "to": checksum_address(Address(intent.to)),
        "paymentNumber": request.earlier_payments + 1,
        "limits": list(_limits(request, registry)),
        "asks": [_asks(rule, terms) for rule, terms in request.rules],
        "missing": list(request.missing),
        "approvedBy": [vote.by for vote in request.votes],
        "requestedBy": request.requested_by,
        "requestedAt": rfc3339(record.decided_at_ms),
        "expiresAt": rfc3339(request.expires_at_ms),
        "closing": request.closing,
        "fingerprint": record.fingerprint,
        "policyHash": record.policy_hash,
        "settingsHash": record.settings_hash,
        "agentWrote": {"reference": intent.reference, "memo": record.memo},
    }


def request_lines(request: ApprovalRequest, registry: Registry) -> list[str]:
    """Return the request for a person: ledger facts in their fixed order, then the agent's text, quoted."""
    record, intent = request.record, request.record.intent
    asset = registry.asset_by_id(AssetId(intent.asset))
    amount = f"{format_amount(intent.amount_units, asset.decimals)} {asset.unit}"
    number = request.earlier_payments + 1
    lines = [
        f"{approval_id(record.payment_id)}",
        f"  amount     {amount} on {registry.chain(intent.chain).name}",
        f"             {_words(request, registry)}",
        f"  to         {record.payee or '(no payee)'}",
        f"             {grouped(checksum_address(Address(intent.to)))}",
        f"  payment    the {'first' if number == 1 else _ordinal(number)} to this address",
        *(
            f"  limit      {line['limit']}: {line['spent']} spent or held before it, {line['remaining']} left after it"
            for line in _limits(request, registry)
        ),
        *(
            f"  asks       {rule}: {terms.quorum} of {', '.join(_approvers(terms)) or 'all approvers'}"
            for rule, terms in request.rules
        ),
        f"  approved   by {', '.join(vote.by for vote in request.votes) or 'nobody yet'}",
        f"  agent      {intent.agent_id}, of {request.requested_by or 'nobody'}",
        f"  until      {rfc3339(request.expires_at_ms)}",
    ]
    if request.closing:
        lines.append(f"  over       {request.closing}")
    for name, text in (("reference", intent.reference), ("memo", record.memo)):
        if text:
            lines.append(f'  the agent wrote as {name}: "{text}"')
    return lines


def grouped(address: str) -> str:
    """Return an address in groups of four characters, so that every one of them is compared."""
    digits = address[2:]
    groups = (digits[i : i + _GROUP_CHARACTERS] for i in range(0, len(digits), _GROUP_CHARACTERS))
    return f"0x {' '.join(groups)}"


def _words(request: ApprovalRequest, registry: Registry) -> str:
    intent = request.record.intent
    asset = registry.asset_by_id(AssetId(intent.asset))
    return f"{amount_words(format_amount(intent.amount_units, asset.decimals))} {asset.unit}"


def _approvers(terms: ApprovalTerms) -> list[str]:
    return sorted(terms.approvers or ())


def _asks(rule: str, terms: ApprovalTerms) -> Json:
    return {"rule": rule, "quorum": terms.quorum, "approvers": list(_approvers(terms))}


def _limits(request: ApprovalRequest, registry: Registry) -> Iterator[dict[str, str]]:
    """Yield what each limit counted before this payment, and what is left beside it."""
    asset = registry.asset_by_id(AssetId(request.record.intent.asset))
    for entry in as_items(request.counters.get("windows", [])):
        window = as_mapping(entry)
        limit_id = as_text(window["id"])
        left = as_text(request.remaining.get(limit_id, "0"))
        if "limit" in window:
            spent = format_amount(int(as_text(window["spent"])) + int(as_text(window["held"])), asset.decimals)
            yield {"limit": limit_id, "spent": f"{spent} {asset.unit}", "remaining": _amount(left, asset.decimals)}
        else:
            yield {"limit": limit_id, "spent": f"{as_text(window['count'])} payments", "remaining": left}


def _amount(units: str, decimals: int) -> str:
    return format_amount(int(units), decimals)


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in _TEENS else _ORDINALS.get(number % 10, "th")
    return f"{number}{suffix}"
