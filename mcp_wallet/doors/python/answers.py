"""What the Python door answers where MCP's flat lists would be awkward: one tuple for each entry."""

from typing import NamedTuple

from mcp_wallet.contract.results import BudgetResult, PaymentList


class BudgetEntry(NamedTuple):
    """One budget; amounts are decimal text in whole units, empty when the policy does not disclose them."""

    asset: str
    chains: str
    window: str
    limit: str
    spent: str
    held: str
    remaining: str


class Budget(NamedTuple):
    """What the agent may still spend.

    Args:
        message: In words.
        frozen: Whether an operator has stopped the agent's payments.
    """

    message: str
    frozen: bool
    entries: tuple[BudgetEntry, ...]


class HistoryEntry(NamedTuple):
    """One of the agent's payments; `recipient` is the payee's name where it has one, `time` is RFC 3339 in UTC."""

    payment_id: str
    status: str
    amount: str
    asset: str
    chain: str
    recipient: str
    reference: str
    time: str


def budget_of(result: BudgetResult) -> Budget:
    """Return the lists of a result as entries."""
    lists = (result.assets, result.chains, result.windows, result.limits, result.spent, result.held, result.remaining)
    entries = tuple(BudgetEntry(*fields) for fields in zip(*lists, strict=True))
    return Budget(message=result.message, frozen=result.frozen, entries=entries)


def history_of(result: PaymentList) -> tuple[HistoryEntry, ...]:
    """Return the lists of a result as entries, in its order."""
    lists = (
        *(result.payment_ids, result.statuses, result.amounts, result.assets),
        *(result.chains, result.recipients, result.references, result.times),
    )
    return tuple(HistoryEntry(*fields) for fields in zip(*lists, strict=True))
