"""The operator's address book: adding loosens and goes by proposal, removing tightens and is done at once."""

from mcp_wallet.contract.changes import Change, ChangeKind, NewChange
from mcp_wallet.control.justification import optional_reason
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.diff import Classification
from mcp_wallet.core.identifiers import parse_address
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Actor


async def add_payee(
    ledger: ControlLedger, *, name: str, address: str, category: str, actor: Actor, reason: str = ""
) -> Change:
    """Return the proposal of one payee more; in a solo home it is in force, and known from then on.

    Args:
        address: Any form of an EVM address; a wrong EIP-55 checksum is refused.

    Raises:
        CallerError: `RECIPIENT_INVALID` for a bad name or address or one that the book has; `RECIPIENT_LOOKALIKE`;
            `PERMISSION_DENIED`.
    """
    named: dict[str, Json] = {"name": name, "address": parse_address(address), "category": category}
    change = NewChange(
        kind=ChangeKind.PAYEE,
        subject=name,
        body=named,
        detail=named,
        classification=Classification.LOOSENS,
        reason=optional_reason(reason),
    )
    return await ledger.propose(change, actor=actor)


async def remove_payee(ledger: ControlLedger, *, name: str, actor: Actor, reason: str = "") -> tuple[Settings, Payee]:
    """Return the settings in force without the payee, and who it was; `CallerError(RECIPIENT_UNKNOWN)`."""
    return await ledger.remove_payee(name, reason=optional_reason(reason), actor=actor)
