"""What people approved runs by itself: ask the node, decide again with the votes, then as every payment."""

import logging
from dataclasses import dataclass

from mcp_wallet.core.errors import WalletError
from mcp_wallet.payments.settle import Settlement
from mcp_wallet.ports import Approved, Chains, Granted, Ledger

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApprovedPayments:
    """Runs what enough people approved; any number of processes may, the ledger decides each payment once."""

    ledger: Ledger
    chains: Chains
    settlement: Settlement

    async def run(self) -> None:
        """Give back what is over, and run what is approved; what cannot be decided now stays for the next time.

        Raises:
            OutsideError: When the ledger cannot be reached.
        """
        granted, some_are_over = await self.ledger.approvals_due()
        if some_are_over:
            await self.ledger.close_approvals()
        for payment in granted:
            try:
                await self._run(payment)
            except WalletError as error:
                log.warning("payment %s waits, approved: %s %s", payment.payment_id, error.code, error.message)

    async def _run(self, payment: Granted) -> None:
        chain = self.chains.by_id.get(payment.draft.chain.chain_id)
        if chain is None:
            log.warning("payment %s waits, approved: no node is configured for its chain", payment.payment_id)
            return
        facts = await chain.facts(payment.draft, fee_cap_wei=payment.fee_cap_wei)
        decided = await self.ledger.decide_approved(payment.payment_id, facts)
        if isinstance(decided, Approved):
            self.settlement.start(decided.record)
