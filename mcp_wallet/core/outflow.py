"""Has anything left the account that this ledger does not explain? Then somebody else has the key.

Looked at in final blocks only: transfers of registered tokens out of the account, its nonce, its native balance.
Transfers of nothing and tokens that are not registered are not looked at, for anybody can make those appear.
"""

from collections.abc import Collection
from dataclasses import dataclass

from mcp_wallet.core.identifiers import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A transfer of a registered token out of the account; never of zero units."""

    token: Address
    to: str
    units: int
    transaction_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The account as of one final block.

    Args:
        nonce: Transactions that it has sent.
        transfers: Since the block that was looked at before.
    """

    block: int
    nonce: int
    native_wei: int
    transfers: tuple[Outgoing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the ledger says of the same stretch.

    Args:
        hashes: Of every transaction of this ledger that may be in it.
        nonce_max: Transactions that the account can have sent.
        native_least_wei: What must at least be left of the native coin; None while something is under way.
    """

    hashes: Collection[str]
    nonce_max: int
    native_least_wei: int | None


def unexplained(seen: Sighting, books: Books) -> str:
    """Return what left without this ledger, in a sentence; empty when all is explained."""
    for transfer in seen.transfers:
        if transfer.transaction_hash not in books.hashes:
            return (
                f"{transfer.units} units of the token {transfer.token} went to {transfer.to} "
                f"by the transaction {transfer.transaction_hash}"
            )
    if seen.nonce > books.nonce_max:
        return f"the account has sent {seen.nonce} transactions, {books.nonce_max} are explained"
    if books.native_least_wei is not None and seen.native_wei < books.native_least_wei:
        missing = books.native_least_wei - seen.native_wei
        return f"{missing} wei of the native coin are gone that no payment and no fee explains"
    return ""
