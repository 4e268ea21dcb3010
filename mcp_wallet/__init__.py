"""A policy-gated, non-custodial wallet for AI agents.

Importing the package costs nothing: public names are looked up when they are first used.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mcp_wallet.core.errors import CallerError, OutsideError, OwnerError, WalletError
    from mcp_wallet.core.reasons import ReasonCode

__all__ = ["CallerError", "OutsideError", "OwnerError", "ReasonCode", "WalletError", "__version__"]

__version__: Final = "0.1.0"

_PUBLIC: Final = {
    "WalletError": "mcp_wallet.core.errors",
    "CallerError": "mcp_wallet.core.errors",
    "OwnerError": "mcp_wallet.core.errors",
    "OutsideError": "mcp_wallet.core.errors",
    "ReasonCode": "mcp_wallet.core.reasons",
}
"""Public name -> the module that has it."""


def __getattr__(name: str) -> object:
    """Return a public name from the module that has it (PEP 562)."""
    from importlib import import_module  # noqa: PLC0415  importing the package costs nothing

    module = _PUBLIC.get(name)
    if module is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted([*globals(), *_PUBLIC])
