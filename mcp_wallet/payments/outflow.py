"""The outflow watch: look again and again whether the account lost anything that this ledger does not explain."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.ports import Chains, Ledger

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 30.0


@dataclass(slots=True)
class OutflowWatch:
    """Looks at each chain of the home now and then.

    Args:
        account: The wallet's.
        monotonic: Seconds of a clock that never goes back.
    """

    ledger: Ledger
    chains: Chains
    account: Address
    monotonic: Callable[[], float]
    _looked_at: dict[ChainId, float] = field(default_factory=dict)

    async def look(self) -> None:
        """Look at the chains that are due; one that does not answer is tried again at the next look."""
        for chain_id, chain in self.chains.by_id.items():
            now = self.monotonic()
            if now - self._looked_at.get(chain_id, now - LOOK_SECONDS) < LOOK_SECONDS:
                continue
            self._looked_at[chain_id] = now
            try:
                seen = await chain.sight(self.account, after=await self.ledger.watched_block(chain_id))
            except OutsideError as error:
                log.warning("the account was not looked at: %s", error.message)
                continue
            if seen is not None:
                await self.ledger.account_for(chain_id, seen)
