"""Fakes: each implements a port, or the desk, with the real rules where a rule is what the test is about.

One section per engineer's room; append below, import what another section has.
"""

from dataclasses import dataclass, field

from mcp_wallet.contract.desk import Progress
from mcp_wallet.contract.results import BudgetResult, PayeeList, PaymentList, PaymentResult
from mcp_wallet.core.amount import format_amount
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address, ChainId, checksum_address
from mcp_wallet.core.intent import Agent, PaymentDraft, PaymentRequest, parse_request
from mcp_wallet.core.payees import AddressBook, Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED

# ------------------------------------------------------------------------------------------------------------- the desk

ALICE = Address("0x" + "a1" * 20)
BOB = Address("0x" + "b0" * 20)
BOOK = AddressBook(payees=(Payee(name="alice", address=ALICE), Payee(name="bob", address=BOB)))
AGENT = Agent(
    org_id="org_test",
    agent_id="refund-processor",
    environment="test",
    sender=Address("0x" + "5e" * 20),
    chains=(ChainId("eip155:8453"),),
    policy_hash="sha256:" + "0" * 64,
)


@dataclass
class FakeDesk:
    """Parses as the wallet does, pays everybody but bob, and remembers what it was asked.

    Args:
        error: Raised by every verb, when given.
        steps: What `send_payment` says it waits for.
    """

    error: BaseException | None = None
    steps: tuple[str, ...] = ("asking the chain", "signing", "waiting for the first block")
    drafts: list[PaymentDraft] = field(default_factory=list)
    sent: dict[str, PaymentResult] = field(default_factory=dict)
    asked: list[dict[str, object]] = field(default_factory=list)
    refusals: list[ReasonCode] = field(default_factory=list)

    async def send_payment(self, request: PaymentRequest, *, progress: Progress | None = None) -> PaymentResult:
        result = await self.simulate_payment(request)
        if progress is not None:
            for step in self.steps:
                await progress(step)
        self.sent[result.payment_id] = result
        return result

    async def refused(self, code: ReasonCode) -> None:
        self.refusals.append(code)

    async def simulate_payment(self, request: PaymentRequest) -> PaymentResult:
        self._stop()
        draft = parse_request(request, agent=AGENT, registry=SHIPPED, book=BOOK)
        self.drafts.append(draft)
        return payment_result(draft, payment_id=f"pay_{len(self.drafts)}")

    async def check_budget(self, *, asset: str = "", chain: str = "") -> BudgetResult:
        self._stop()
        self.asked.append({"asset": asset, "chain": chain})
        return BudgetResult(
            message="950.00 of 1000.00 USDC are left for 24 h.",
            assets=["usdc"],
            chains=["base"],
            windows=["24h rolling"],
            limits=["1000.00"],
            spent=["50.00"],
            held=["0.00"],
            remaining=["950.00"],
            frozen=False,
        )

    async def get_payment(
        self, *, payment_id: str = "", reference: str = "", idempotency_key: str = ""
    ) -> PaymentResult:
        self._stop()
        self.asked.append({"payment_id": payment_id, "reference": reference, "idempotency_key": idempotency_key})
        if payment_id not in self.sent:
            raise CallerError(ReasonCode.PAYMENT_UNKNOWN, "You have no such payment.")
        return self.sent[payment_id]

    async def list_payments(self, *, limit: int = 20, status: str = "") -> PaymentList:
        self._stop()
        self.asked.append({"limit": limit, "status": status})
        rows = list(self.sent.values())[:limit]
        return PaymentList(
            message=f"{len(rows)} payments.",
            payment_ids=[row.payment_id for row in rows],
            statuses=[row.status for row in rows],
            amounts=[row.amount for row in rows],
            assets=[row.asset for row in rows],
            chains=[row.chain for row in rows],
            recipients=[row.to for row in rows],
            references=["" for _ in rows],
            times=["2026-03-10T12:00:00Z" for _ in rows],
        )

    async def list_payees(self) -> PayeeList:
        self._stop()
        return PayeeList(message="Send one of these names as `to`.", payees=["alice", "bob"])

    def _stop(self) -> None:
        if self.error is not None:
            raise self.error


def payment_result(draft: PaymentDraft, *, payment_id: str) -> PaymentResult:
    """Return what a wallet would answer: bob is denied, everybody else is paid."""
    denied = draft.payee == "bob"
    amount = format_amount(draft.amount_units, draft.asset.decimals)
    what = f"{amount} {draft.asset.unit} on {draft.chain.name} to {draft.payee or draft.to}"
    return PaymentResult(
        status="denied" if denied else "confirmed",
        payment_id=payment_id,
        decision="DENY" if denied else "ALLOW",
        reason_codes=["RECIPIENT_NOT_ALLOWED"] if denied else ["OK"],
        message=f"{what}: {'denied. Nothing was paid' if denied else 'paid. Do not send it again'}.",
        amount=amount,
        asset=draft.asset.symbol,
        chain=draft.chain.name,
        to=checksum_address(draft.to),
        fingerprint=draft.intent("int_test").fingerprint(),
        transaction_hash="" if denied else "0x" + "7a" * 32,
        explorer_url="",
        final=True,
        remaining="",
        replayed=False,
        checkpoint="",
    )
