"""What a person found out of a payment whose outcome the wallet could not prove."""

from typing import Final

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.lifecycle import State
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Actor, Ledger, PaymentRecord

REASON_CHARACTERS_MAX: Final = 500


async def resolve_payment(ledger: Ledger, payment_id: str, *, paid: bool, reason: str, actor: Actor) -> PaymentRecord:
    """Record that an `unknown` payment was paid, or never will be; return it as it then is.

    Paid: what it held is spent. Failed: budget and reference are given back, so that it can be sent again; whoever says
    so answers for it that the signed transaction cannot be mined any more.

    Raises:
        CallerError: `PAYMENT_UNKNOWN` for an id that is not there; `INTENT_INVALID` without a reason, or for a payment
            that is not `unknown`: what the wallet can prove needs no person.
    """
    words = reason.strip()
    if not words or len(words) > REASON_CHARACTERS_MAX or not words.isprintable():
        raise CallerError(
            ReasonCode.INTENT_INVALID, f'A reason is 1 to {REASON_CHARACTERS_MAX} visible characters: --reason "…".'
        )
    if await _found(ledger, payment_id) is None:
        raise CallerError(
            ReasonCode.PAYMENT_UNKNOWN,
            f"No payment has the id `{payment_id[:80]}`: `mcp-wallet payments list` shows the recent ones.",
        )
    resolved = await ledger.resolve(payment_id, paid=paid, reason=words, actor=actor)
    record = await _found(ledger, payment_id)
    if not resolved or record is None:
        state = State.UNKNOWN if record is None else record.state
        raise CallerError(
            ReasonCode.INTENT_INVALID,
            f"This payment is `{state}`: only a payment that is `unknown` is resolved by a person.",
        )
    return record


async def _found(ledger: Ledger, payment_id: str) -> PaymentRecord | None:
    return await ledger.payment(agent_id="", payment_id=payment_id)
