"""How a payment that waits for people is called."""

from typing import Final

_PAYMENT: Final = "pay_"
_APPROVAL: Final = "apr_"


def approval_id(payment_id: str) -> str:
    """Return the name of a payment's approval request."""
    return _APPROVAL + payment_id.removeprefix(_PAYMENT)


def payment_id_of(name: str) -> str:
    """Return the payment that a request's or a payment's own name means."""
    return _PAYMENT + name.removeprefix(_APPROVAL) if name.startswith(_APPROVAL) else name
