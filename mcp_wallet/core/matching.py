"""What a payment is, and which rules and limits speak about it."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.wall_clock import Hours


class Payment(NamedTuple):
    """A payment by what it is: the only things that a rule or a limit can match. A named tuple: see `PaymentIntent`."""

    agent: str
    operation: str
    chain: ChainId
    asset: AssetId
    to: Address
    category: str
    amount_units: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """A conjunction; None matches everything, an empty set matches nothing.

    Args:
        amounts: Inclusive bounds in base units per asset; an asset that is missing does not match.
    """

    agents: frozenset[str] | None = None
    operations: frozenset[str] | None = None
    chains: frozenset[ChainId] | None = None
    assets: frozenset[AssetId] | None = None
    recipients: AbstractSet[Address] | None = None
    categories: frozenset[str] | None = None
    amounts: Mapping[AssetId, tuple[int, int]] | None = None
    hours: Hours | None = None

    def matches(self, payment: Payment) -> bool:
        """Return whether every part admits the payment."""
        agent, operation, chain, asset, to, category, units, at_ms = payment
        return (
            (self.assets is None or asset in self.assets)
            and (self.agents is None or agent in self.agents)
            and (self.operations is None or operation in self.operations)
            and (self.chains is None or chain in self.chains)
            and (self.recipients is None or to in self.recipients)
            and (self.categories is None or category in self.categories)
            and (self.amounts is None or _within(self.amounts.get(asset), units))
            and (self.hours is None or self.hours.covers(at_ms))
        )

    def mismatches(self, payment: Payment) -> tuple[str, ...]:
        """Return the names of the parts that do not admit the payment, in a fixed order.

        An amount is judged only for an asset that the match meets: where asset or chain is what refuses, it is not
        named beside them.
        """
        missing = []
        for name, allowed, value in (
            ("agents", self.agents, payment.agent),
            ("operations", self.operations, payment.operation),
            ("chains", self.chains, payment.chain),
            ("assets", self.assets, payment.asset),
            ("recipients", self.recipients, payment.to),
            ("categories", self.categories, payment.category),
        ):
            if allowed is not None and value not in allowed:
                missing.append(name)
        meets = not {"chains", "assets"}.intersection(missing)
        if self.amounts is not None and meets and not _within(self.amounts.get(payment.asset), payment.amount_units):
            missing.append("amount")
        if self.hours is not None and not self.hours.covers(payment.at_ms):
            missing.append("hours")
        return tuple(missing)


def _within(bounds: tuple[int, int] | None, units: int) -> bool:
    return bounds is not None and bounds[0] <= units <= bounds[1]
