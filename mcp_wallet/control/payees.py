"""The operator's address book. Every change is a new version of the settings, with its event."""

from mcp_wallet.contract.events import EventType
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address, checksum_address, is_payee_name, is_reserved_address, parse_address
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settings_source import with_payees
from mcp_wallet.ports import Actor, ControlLedger

PAYEES_MAX = 10_000


async def add_payee(
    ledger: ControlLedger,
    settings: Settings,
    *,
    name: str,
    address: str,
    category: str,
    own: Address,
    actor: Actor,
    now_ms: int,
) -> Settings:
    """Return the next settings, in force, with one payee more.

    Args:
        address: Any form of an EVM address; a wrong EIP-55 checksum is refused.
        own: The wallet's account, which is no payee.

    Raises:
        CallerError: `RECIPIENT_INVALID` for a bad name or address or one that the book has; `RECIPIENT_LOOKALIKE`.
    """
    found = parse_address(address)
    _refuse(settings, name, found, own)
    payee = Payee(name=name, address=found, category=category, added_at_ms=now_ms)
    following = with_payees(settings, (*settings.book.payees, payee))
    detail = {"name": name, "address": found, "category": category}
    await ledger.apply_settings(following, actor=actor, events=[(EventType.PAYEE_ADDED, detail)])
    return following


async def remove_payee(ledger: ControlLedger, settings: Settings, *, name: str, actor: Actor) -> Settings:
    """Return the next settings, in force, without the payee; `CallerError(RECIPIENT_UNKNOWN)`."""
    payee = settings.book.by_name.get(name)
    if payee is None:
        raise CallerError(
            ReasonCode.RECIPIENT_UNKNOWN, f"No payee is called `{name[:64]}`: `mcp-wallet payee list` shows the names."
        )
    following = with_payees(settings, (p for p in settings.book.payees if p.name != name))
    detail = {"name": name, "address": payee.address}
    await ledger.apply_settings(following, actor=actor, events=[(EventType.PAYEE_REMOVED, detail)])
    return following


def _refuse(settings: Settings, name: str, address: Address, own: Address) -> None:
    if not is_payee_name(name):
        raise _invalid(f"`{name[:64]}` is not a payee name: write lower-case letters, digits and `-`, a letter first")
    if name in settings.book.by_name:
        raise _invalid(f"A payee called `{name}` exists already: remove it first")
    if address == own or is_reserved_address(address) or address in settings.registry.tokens:
        raise _invalid("That address is the wallet's own, a token contract, the zero address or a precompiled contract")
    if len(settings.book.payees) >= PAYEES_MAX:
        raise _invalid(f"The address book holds at most {PAYEES_MAX} payees")
    imitated = settings.book.imitated_by(address)
    if imitated is not None:
        raise CallerError(
            ReasonCode.RECIPIENT_LOOKALIKE,
            f"`{checksum_address(address)}` looks like `{imitated.name}` ({checksum_address(imitated.address)}): "
            "compare every character with your source.",
        )


def _invalid(sentence: str) -> CallerError:
    return CallerError(ReasonCode.RECIPIENT_INVALID, sentence + ".")
