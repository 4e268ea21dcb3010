"""Changing the address book: who may stand in it. Every change is a next version of the settings."""

from typing import Final

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address, checksum_address, is_payee_name, is_reserved_address
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settings_source import with_payees

PAYEES_MAX: Final = 10_000


def with_payee(
    settings: Settings, *, name: str, address: Address, category: str, own: Address, now_ms: int
) -> Settings:
    """Return the next settings, with one payee more who is known from now on.

    Args:
        own: The wallet's account, which is no payee.

    Raises:
        CallerError: `RECIPIENT_INVALID` for a bad name or address or one that the book has; `RECIPIENT_LOOKALIKE`.
    """
    _refuse(settings, name, address, own)
    payee = Payee(name=name, address=address, category=category, added_at_ms=now_ms)
    return with_payees(settings, (*settings.book.payees, payee))


def without_payee(settings: Settings, name: str) -> tuple[Settings, Payee]:
    """Return the next settings without the payee, and who it was; `CallerError(RECIPIENT_UNKNOWN)`."""
    payee = settings.book.by_name.get(name)
    if payee is None:
        raise CallerError(
            ReasonCode.RECIPIENT_UNKNOWN, f"No payee is called `{name[:64]}`: `mcp-wallet payee list` shows the names."
        )
    return with_payees(settings, (p for p in settings.book.payees if p.name != name)), payee


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
