"""Accidents, by who can put them right.

A refusal is a value (see `decision.py`); an accident is one of these. The message is one line in the
product's words, with what to do next, and never holds a secret, a path or a node's raw reply.
"""

from collections.abc import Mapping

from mcp_wallet.core.reasons import ReasonCode


class WalletError(Exception):
    """Root of everything that can go wrong with a name.

    Args:
        code: Stable reason code.
        message: One sentence for a person or a model.
        details: Typed fields for a program; text values only.
    """

    def __init__(self, code: ReasonCode, message: str, details: Mapping[str, str] | None = None) -> None:
        """Keep the three parts; `str()` of the error is the message."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.details: Mapping[str, str] = details or {}


class CallerError(WalletError):
    """The caller sent something unusable; sending something else puts it right."""


class OwnerError(WalletError):
    """The operator's policy, key or configuration must be put right."""


class OutsideError(WalletError):
    """Node, database, disk or signer failed; `retryable` says whether trying again makes sense."""

    def __init__(
        self,
        code: ReasonCode,
        message: str,
        details: Mapping[str, str] | None = None,
        *,
        retryable: bool = True,
    ) -> None:
        """Keep the parts of `WalletError` and the hint."""
        super().__init__(code, message, details)
        self.retryable = retryable


class InvariantBroken(Exception):  # noqa: N818  it is not somebody's error: it must never happen
    """A rule of this program does not hold. Raised also under `python -O`; nothing catches it but a door."""
