"""One sentence for the model: what happened, what it may do next, whether a retry makes sense."""

from typing import Final

from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode

_NEXT: Final = {
    State.DENIED: "Nothing was paid. Do not retry unchanged",
    State.PENDING_APPROVAL: "A person must approve it first. Do not send it again; ask get_payment later",
    State.RESERVED: "It is approved and under way. Do not send it again; ask get_payment",
    State.SIGNING: "It is approved and under way. Do not send it again; ask get_payment",
    State.SIGNED: "It was sent and may already be paid. Never send it again; ask get_payment",
    State.BROADCAST: "It was sent and may already be paid. Never send it again; ask get_payment",
    State.UNKNOWN: "Its outcome is not known; it may be paid. Never send it again; ask the operator",
    State.CONFIRMED: "It is paid and confirmed on the chain. Do not send it again",
    State.FAILED: "It failed on the chain; nobody was paid. You may send it again with the same reference",
    State.RELEASED: "It was stopped before signing; nothing was paid. You may send it again with the same reference",
    State.EXPIRED: "It expired before signing; nothing was paid. You may send it again with the same reference",
    State.REJECTED: "A person rejected it; nothing was paid. Ask the operator before you send it again",
}

_WHY: Final = {
    ReasonCode.NO_MATCHING_RULE: "no rule of your policy allows it",
    ReasonCode.RULE_DENIED: "a rule of your policy forbids it",
    ReasonCode.ASSET_NOT_ALLOWED: "your policy does not allow this asset",
    ReasonCode.CHAIN_NOT_ALLOWED: "your policy does not allow this chain",
    ReasonCode.RECIPIENT_NOT_ALLOWED: "this recipient is not on your policy's list (list_payees says who is)",
    ReasonCode.RECIPIENT_DENIED: "your policy forbids this recipient",
    ReasonCode.RECIPIENT_LOOKALIKE: "the address imitates a known payee: it may be an address-poisoning attack",
    ReasonCode.OPERATION_NOT_ALLOWED: "your policy does not allow this operation",
    ReasonCode.CATEGORY_NOT_ALLOWED: "your policy does not allow this category",
    ReasonCode.NOT_YET_ACTIVE: "the policy is not in force yet",
    ReasonCode.EXPIRED: "the policy has expired",
    ReasonCode.PER_TX_LIMIT_EXCEEDED: "the amount is above the limit for one payment",
    ReasonCode.BELOW_MINIMUM: "the amount is below the minimum for one payment",
    ReasonCode.WINDOW_LIMIT_EXCEEDED: "it would exceed the budget of this period (check_budget says what is left)",
    ReasonCode.COUNT_LIMIT_EXCEEDED: "it would exceed the number of payments in this period",
    ReasonCode.DISTINCT_LIMIT_EXCEEDED: "it would exceed the number of recipients in this period",
    ReasonCode.COOLDOWN: "the last payment to this recipient was too recent: wait",
    ReasonCode.NEW_RECIPIENT_HOLD: "the recipient was listed too recently: wait",
    ReasonCode.FROZEN: "an operator has stopped payments",
    ReasonCode.TOO_MANY_PENDING: "too many payments already wait for approval",
    ReasonCode.DUPLICATE_REFERENCE: "another payment already used this reference: use a new one only for a new payment",
    ReasonCode.IDEMPOTENCY_MISMATCH: "this idempotency_key was used for another payment",
    ReasonCode.DUPLICATE_SUSPECTED: "an equal payment was just made: to pay again on purpose, send a `reference`",
    ReasonCode.INSUFFICIENT_FUNDS: "the wallet does not hold enough",
    ReasonCode.SIMULATION_REVERTED: "the chain would refuse the transfer",
    ReasonCode.FEE_CAP_EXCEEDED: "the network fee is above the operator's cap: wait or ask the operator",
    ReasonCode.CLOCK_UNTRUSTED: "the clock cannot be trusted: the operator must look",
    ReasonCode.ROLLBACK_DETECTED: "the ledger is behind the chain or an anchor: the operator must look",
    ReasonCode.ENGINE_ERROR: "the policy could not be evaluated: the operator must look",
    ReasonCode.FINGERPRINT_MISMATCH: "the bytes to be signed were not the approved payment",
    ReasonCode.POLICY_CHANGED: "policy or settings changed in between",
    ReasonCode.TRANSACTION_REVERTED: "the chain reverted the transaction",
    ReasonCode.NONCE_MISMATCH: "another transaction used its account nonce",
    ReasonCode.SETTLEMENT_UNKNOWN: "a person resolved it so",
    ReasonCode.APPROVAL_REQUIRED: "a person must approve it",
    ReasonCode.APPROVAL_REJECTED: "a person looked at it and said no",
    ReasonCode.APPROVAL_EXPIRED: "nobody approved it in time",
}

AGAIN_ON_PURPOSE: Final = (
    "This call repeats an earlier payment and paid nothing; to pay again on purpose send another `reference`."
)


def sentence(state: State, what: str, codes: tuple[ReasonCode, ...], *, replayed: bool) -> str:
    """Return the message of a result.

    Args:
        what: The payment in words: `50.00 USDC on base to alice`.
        codes: Reasons, most important first.
    """
    told = [c for c in codes if c in _WHY and not (state is State.DENIED and c is ReasonCode.APPROVAL_REQUIRED)]
    why = "; ".join(dict.fromkeys(_WHY[c] for c in told))
    reason = f" because {why}" if why and state is not State.CONFIRMED else ""
    text = f"{what}: {state.replace('_', ' ')}{reason}. {_NEXT[state]}."
    return f"{AGAIN_ON_PURPOSE} {text}" if replayed else text
