"""Results that cross a door: flat, all text, the same for MCP, LangChain and Python."""

from pydantic import BaseModel, ConfigDict, Field


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PaymentResult(_Result):
    """What became of a payment."""

    status: str = Field(
        description="denied, pending_approval, submitted, unknown, confirmed or failed; only failed may be sent again"
    )
    payment_id: str = Field(description="Ask get_payment with this id; empty when nothing was recorded")
    decision: str = Field(description="ALLOW, DENY or REQUIRE_APPROVAL")
    reason_codes: list[str] = Field(description="Stable codes, OK when allowed")
    message: str = Field(description="What happened, what to do next, whether a retry makes sense")
    amount: str = Field(description="Amount in whole units of the asset, decimal text")
    asset: str = Field(description="Symbol of the asset")
    chain: str = Field(description="Name of the chain")
    to: str = Field(description="Recipient address, EIP-55")
    fingerprint: str = Field(description="sha256 of the canonical intent")
    transaction_hash: str = Field(description="Empty until signed")
    explorer_url: str = Field(description="Empty when the chain has no explorer")
    final: bool = Field(description="True when this status can no longer change")
    remaining: str = Field(
        description="Least that is left of the budgets this payment counts in, whole units; empty when not disclosed"
    )
    replayed: bool = Field(description="True when an earlier payment answers this call and nothing new was paid")
    checkpoint: str = Field(description="Signed checkpoint of the audit trail that covers the decision; keep it")


class BudgetResult(_Result):
    """What this agent may still spend, as far as its policy discloses it. Lists run in parallel, one entry a limit."""

    message: str = Field(description="The budget in words")
    assets: list[str] = Field(description="Symbol per budget")
    chains: list[str] = Field(description="Chain names per budget, `all` when shared by several")
    windows: list[str] = Field(description="Window per budget, such as `24h rolling`, or `per transaction`")
    limits: list[str] = Field(description="Limit per budget, decimal text, empty when not disclosed")
    spent: list[str] = Field(description="Spent per budget")
    held: list[str] = Field(description="Reserved for payments in flight, per budget")
    remaining: list[str] = Field(description="Left per budget")
    frozen: bool = Field(description="True while an operator's stop covers this agent")


class PaymentList(_Result):
    """Own recent payments, newest first; lists run in parallel."""

    message: str = Field(description="The payments in words")
    payment_ids: list[str] = Field(description="Id per payment, for get_payment")
    statuses: list[str] = Field(description="Status per payment, as in send_payment")
    amounts: list[str] = Field(description="Amount per payment, whole units, decimal text")
    assets: list[str] = Field(description="Symbol per payment")
    chains: list[str] = Field(description="Chain name per payment")
    recipients: list[str] = Field(description="Payee name where there is one, else the address")
    references: list[str] = Field(description="As the agent wrote them")
    times: list[str] = Field(description="RFC 3339, UTC")


class PayeeList(_Result):
    """Names that `send_payment` accepts as `to` under this agent's policy."""

    message: str = Field(description="Whom this agent can pay, in words")
    payees: list[str] = Field(description="Names to send as `to`")
