"""The desk: what a door of the agent plane may ask for, and nothing else. Wiring opens one, a door only calls it."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from mcp_wallet.contract.results import BudgetResult, PayeeList, PaymentList, PaymentResult
from mcp_wallet.core.intent import PaymentRequest
from mcp_wallet.core.reasons import ReasonCode

Progress = Callable[[str], Awaitable[None]]
"""Told in a few words what a payment waits for."""

CLAIM_NAMES: Final = ("orgId", "agentId", "environment")
"""What a caller may say of itself; it must equal what its key says."""


class Desk(Protocol):
    """One agent's six verbs. Each call authenticates anew, so that a revoked key stops at once.

    A refusal of the policy is a result. Every verb raises `CallerError` for a bad argument, an unknown payment or a bad
    credential, `OwnerError` for what an operator must put right, and `OutsideError` for what is down.
    """

    async def send_payment(self, request: PaymentRequest, *, progress: Progress | None = None) -> PaymentResult:
        """Pay, or say why not; answers within 10 s, with `submitted` when the chain needs longer."""

    async def simulate_payment(self, request: PaymentRequest) -> PaymentResult:
        """Return the decision that `send_payment` would get; nothing is reserved."""

    async def check_budget(self, *, asset: str = "", chain: str = "") -> BudgetResult:
        """Return what may still be spent, as far as the policy discloses it."""

    async def get_payment(
        self, *, payment_id: str = "", reference: str = "", idempotency_key: str = ""
    ) -> PaymentResult:
        """Return the agent's payment by exactly one key; `PAYMENT_UNKNOWN` also for somebody else's."""

    async def list_payments(self, *, limit: int = 20, status: str = "") -> PaymentList:
        """Return the agent's payments, newest first."""

    async def list_payees(self) -> PayeeList:
        """Return the payee names that the agent's policy can pay."""

    async def refused(self, code: ReasonCode) -> None:
        """Count a call that the door refused by itself: it needs a credential and counts for the rate."""
