"""The three guards against paying twice (SPEC section 4).

Models mint new keys and clients re-issue lost calls, so all three are always looked up and a new key never switches
off a stronger guard. Equal content replays the recorded payment; other content refuses.
"""

from dataclasses import dataclass

from mcp_wallet.core.reasons import ReasonCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A guard-holding payment that a guard found."""

    payment_id: str
    agent_id: str
    content: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the guards say: replay this payment, or refuse with this code, or (both empty) go on."""

    replay: str = ""
    refuse: ReasonCode | None = None


def judge(
    *,
    agent_id: str,
    content: tuple[str, ...],
    has_key: bool,
    by_reference: Hit | None,
    by_key: Hit | None,
    by_content: Hit | None,
) -> Verdict:
    """Return the guards' verdict on a payment.

    Args:
        by_reference: Guard 1, unique per (organisation, from, to, reference) over all agents.
        by_key: Guard 2, unique per (organisation, agent, key).
        by_content: Guard 3, equal content within the de-duplication window; only for calls without reference.
    """
    if by_reference is not None and (by_reference.agent_id != agent_id or by_reference.content != content):
        return Verdict(refuse=ReasonCode.DUPLICATE_REFERENCE)
    if by_key is not None and by_key.content != content:
        return Verdict(refuse=ReasonCode.IDEMPOTENCY_MISMATCH)
    if found := by_reference or by_key:
        return Verdict(replay=found.payment_id)
    if by_content is None:
        return Verdict()
    return Verdict(refuse=ReasonCode.DUPLICATE_SUSPECTED) if has_key else Verdict(replay=by_content.payment_id)
