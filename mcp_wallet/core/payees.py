"""The operator's address book: names an agent may pay without ever typing an address.

Part of the settings document. Entries come from the operator alone, never from incoming transfers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mcp_wallet.core.identifiers import Address, is_lookalike


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """One entry: a name, its address on every EVM chain, and what the operator says it is for."""

    name: str
    address: Address
    category: str = ""
    added_at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressBook:
    """All payees of a home; look-ups do not grow with the book."""

    payees: tuple[Payee, ...] = ()
    by_name: dict[str, Payee] = field(init=False, repr=False, compare=False)
    by_address: dict[Address, Payee] = field(init=False, repr=False, compare=False)
    _by_ends: dict[tuple[str, str], Payee] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the look-ups once; of two names for one address the first is shown."""
        object.__setattr__(self, "by_name", {p.name: p for p in self.payees})
        object.__setattr__(self, "by_address", {p.address: p for p in reversed(self.payees)})
        object.__setattr__(self, "_by_ends", {_ends(p.address): p for p in reversed(self.payees)})

    def imitated_by(self, address: Address) -> Payee | None:
        """Return the payee that this address imitates (first 3 and last 4 hex digits), if it is not one itself."""
        if address in self.by_address:
            return None
        found = self._by_ends.get(_ends(address))
        return found if found is not None and is_lookalike(address, found.address) else None

    def names(self, addresses: Iterable[Address]) -> tuple[str, ...]:
        """Return the names of those addresses that have one, in the book's order."""
        wanted = frozenset(addresses)
        return tuple(p.name for p in self.payees if p.address in wanted)


def _ends(address: Address) -> tuple[str, str]:
    return address[2:5], address[-4:]
