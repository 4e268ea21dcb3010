"""The one exception of the Python door."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mcp_wallet.core.errors import OutsideError, WalletError
from mcp_wallet.core.reasons import ReasonCode

if TYPE_CHECKING:
    from mcp_wallet.contract.results import PaymentResult

UNPAID: Final = frozenset({"denied", "failed"})
"""Statuses of a payment that paid nobody and holds nothing."""
_TOLD: Final = (
    *("status", "payment_id", "decision", "amount", "asset", "chain", "to"),
    *("fingerprint", "transaction_hash", "remaining", "checkpoint"),
)


class PolicyError(WalletError):
    """Nothing was paid by this call, or nobody could be asked.

    Args:
        code: Stable reason code; the one that says most when there are several.
        message: One sentence for a person or a model.
        details: Text for a program. Of a refused payment: its fields, and all `reason_codes`, separated by spaces.
        retryable: Whether the same call may succeed later by itself. With the same `reference` it never pays twice.
    """

    def __init__(
        self,
        code: ReasonCode,
        message: str,
        details: Mapping[str, str] | None = None,
        *,
        retryable: bool = False,
    ) -> None:
        """Keep the parts."""
        super().__init__(code, message, details)
        self.retryable = retryable


@contextmanager
def accidents_told() -> Iterator[None]:
    """Turn each of the wallet's errors into the door's; what is none of them is a bug and passes as it is."""
    try:
        yield
    except PolicyError:
        raise
    except WalletError as error:
        retryable = isinstance(error, OutsideError) and error.retryable
        raise PolicyError(error.code, error.message, error.details, retryable=retryable) from error


def paid_or_under_way(receipt: "PaymentResult") -> "PaymentResult":
    """Return the receipt of a payment that is paid, may be paid, or waits; raise `PolicyError` for any other."""
    if receipt.status not in UNPAID:
        return receipt
    details = {name: str(getattr(receipt, name)) for name in _TOLD if getattr(receipt, name)}
    details["reason_codes"] = " ".join(receipt.reason_codes)
    raise PolicyError(_foremost(receipt.reason_codes), receipt.message, details)


def _foremost(codes: list[str]) -> ReasonCode:
    """Return the first code that says more than that no rule admits the payment."""
    telling = [code for code in codes if code != ReasonCode.NO_MATCHING_RULE] or codes
    return ReasonCode(telling[0])
