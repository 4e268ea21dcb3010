"""One agent's six verbs. Each call authenticates anew, so that a revoked key or a new policy counts at once."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from mcp_wallet.contract.results import BudgetResult, PayeeList, PaymentList, PaymentResult
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.intent import Agent, PaymentDraft, PaymentRequest, parse_idempotency_key, parse_request
from mcp_wallet.core.lifecycle import TOOL_STATUS, State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.payments.pipeline import Pipeline, Progress
from mcp_wallet.payments.results import (
    Viewer,
    budget_result,
    list_result,
    payment_result,
    simulated_result,
)
from mcp_wallet.payments.suppression import Suppressed
from mcp_wallet.ports import Ledger, PaymentRecord, Replayed

T = TypeVar("T")
PAYMENTS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class AgentDesk:
    """Implements `contract.desk.Desk` for the holder of one API key.

    Args:
        ready: Awaited before a payment: recovery has begun and the ledger is not behind its anchors.
        answered: Called after each answer, so that work may start that the first answer did not wait for.
        checkpoint: Returns a signed checkpoint that covers the trail so far.
        claims: What the caller says of itself, by `contract.desk.CLAIM_NAMES`; each call compares it with the key.
    """

    api_key: str
    ledger: Ledger
    pipeline: Pipeline
    ready: Callable[[], Awaitable[None]]
    answered: Callable[[], None]
    checkpoint: Callable[[], Awaitable[str]]
    suppressed: Suppressed
    claims: Mapping[str, str] = field(default_factory=dict)

    async def send_payment(self, request: PaymentRequest, *, progress: Progress | None = None) -> PaymentResult:
        """Pay, or say why not; see SPEC section 10."""
        await self.ready()
        viewer, draft = await self._draft(request)
        outcome = await self.pipeline.pay(draft, viewer.policy, progress)
        record = await self._newest(outcome.record)
        return payment_result(
            record, viewer, checkpoint=await self.checkpoint(), replayed=isinstance(outcome, Replayed)
        )

    async def simulate_payment(self, request: PaymentRequest) -> PaymentResult:
        """Return the decision that `send_payment` would get without asking the chain; nothing is reserved."""
        viewer, draft = await self._draft(request)
        decision = await self.ledger.simulate(draft)
        return self._answer(simulated_result(decision, draft, viewer, checkpoint=await self.checkpoint()))

    async def check_budget(self, *, asset: str = "", chain: str = "") -> BudgetResult:
        """Return limits, spent, held and remaining, as far as the policy discloses them."""
        viewer = await self._viewer()
        if chain:
            viewer.settings.registry.chain(chain.lower())
        if asset and not viewer.settings.registry.assets_of(asset):
            raise CallerError(ReasonCode.ASSET_UNKNOWN, f"Asset `{asset[:80]}` is not known here.")
        lines, frozen = await self.ledger.budget(viewer.agent, viewer.policy)
        return self._answer(budget_result(lines, frozen, viewer, asset=asset.lower(), chain=chain.lower()))

    async def get_payment(
        self, *, payment_id: str = "", reference: str = "", idempotency_key: str = ""
    ) -> PaymentResult:
        """Return one of the agent's own payments by exactly one of its names."""
        viewer = await self._viewer()
        if sum(bool(v) for v in (payment_id, reference, idempotency_key)) != 1:
            raise CallerError(
                ReasonCode.INTENT_INVALID, "Send exactly one of `payment_id`, `reference` and `idempotency_key`."
            )
        parse_idempotency_key(idempotency_key)
        record = await self.ledger.payment(
            agent_id=viewer.agent.agent_id, payment_id=payment_id, reference=reference, idempotency_key=idempotency_key
        )
        if record is None:
            raise CallerError(
                ReasonCode.PAYMENT_UNKNOWN, "You have no such payment: list_payments shows the recent ones."
            )
        confirmations = await self.pipeline.confirmations(record)
        return self._answer(
            payment_result(
                record, viewer, checkpoint=await self.checkpoint(), replayed=False, confirmations=confirmations
            )
        )

    async def list_payments(self, *, limit: int = 20, status: str = "") -> PaymentList:
        """Return the agent's own recent payments, newest first."""
        viewer = await self._viewer()
        if not 1 <= limit <= PAYMENTS_MAX:
            raise CallerError(ReasonCode.INTENT_INVALID, f"`limit` must be a whole number from 1 to {PAYMENTS_MAX}.")
        states = tuple(s for s, shown in TOOL_STATUS.items() if shown == status)
        if status and not states:
            known = ", ".join(dict.fromkeys(TOOL_STATUS.values()))
            raise CallerError(ReasonCode.INTENT_INVALID, f"`status` must be one of {known}.")
        records = await self.ledger.payments(agent_id=viewer.agent.agent_id, limit=limit, states=states)
        return self._answer(list_result(records, viewer))

    async def list_payees(self) -> PayeeList:
        """Return the names that this agent's policy can pay."""
        viewer = await self._viewer()
        names = list(viewer.policy.payable(viewer.settings.book))
        message = "Send one of these names as `to`." if names else "Your policy names no payee: ask the operator."
        return self._answer(PayeeList(message=message, payees=names))

    async def refused(self, code: ReasonCode) -> None:
        """Count a call that the door refused by itself."""
        viewer = await self._viewer()
        self.suppressed.count(viewer.agent.agent_id, code)

    async def check_credential(self) -> None:
        """Return when the key is good and the claims are its own; raises as every verb would."""
        await self._viewer()

    # -- parts -----------------------------------------------------------------------------------------------

    async def _viewer(self) -> Viewer:
        try:
            viewer = Viewer(*await self.ledger.authenticate(self.api_key))
            _check_claims(self.claims, viewer.agent)
        except CallerError as error:
            self.suppressed.count("", error.code)
            self.answered()
            raise
        return viewer

    async def _draft(self, request: PaymentRequest) -> tuple[Viewer, PaymentDraft]:
        viewer = await self._viewer()
        try:
            draft = parse_request(
                request, agent=viewer.agent, registry=viewer.settings.registry, book=viewer.settings.book
            )
        except CallerError as error:
            self.suppressed.count(viewer.agent.agent_id, error.code)
            raise
        return viewer, draft

    async def _newest(self, record: PaymentRecord) -> PaymentRecord:
        if record.state in (State.DENIED, State.CONFIRMED):
            return record
        return await self.ledger.payment(agent_id="", payment_id=record.payment_id) or record

    def _answer(self, result: T) -> T:
        self.answered()
        return result


def _check_claims(claims: Mapping[str, str], agent: Agent) -> None:
    said_by_key = {"orgId": agent.org_id, "agentId": agent.agent_id, "environment": agent.environment}
    for name, claimed in claims.items():
        if said_by_key.get(name) != claimed:
            sentence = (
                f"The agent key is of another `{name[:40]}` than `metadata` says: nothing was paid; correct either."
            )
            raise CallerError(ReasonCode.CREDENTIAL_INVALID, sentence)
