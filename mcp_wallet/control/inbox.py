"""Everything that waits for people, by one kind of name."""

from mcp_wallet.contract.changes import Change, parse_change_id
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Actor


async def approve_proposal(ledger: ControlLedger, name: str, *, reason: str, actor: Actor) -> Change:
    """Return the proposal after this person's yes; raises as `ControlLedger.approve_change`."""
    return await ledger.approve_change(_sequence(name), reason=reason, actor=actor)


async def reject_proposal(ledger: ControlLedger, name: str, *, reason: str, actor: Actor) -> Change:
    """Return the proposal after this person's no; raises as `ControlLedger.reject_change`."""
    return await ledger.reject_change(_sequence(name), reason=reason, actor=actor)


def is_proposal(name: str) -> bool:
    """Return whether the name is a proposal's."""
    return parse_change_id(name) is not None


def _sequence(name: str) -> int:
    found = parse_change_id(name)
    if found is None:
        sentence = f"`{name[:40]}` names nothing that waits: `mcp-wallet approvals list` shows what does."
        raise CallerError(ReasonCode.INTENT_INVALID, sentence)
    return found
