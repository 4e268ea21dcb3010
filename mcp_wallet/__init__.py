"""A policy-gated, non-custodial wallet for AI agents.

Importing the package costs nothing: public names are looked up when they are first used.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mcp_wallet.contract.results import PaymentResult
    from mcp_wallet.core.errors import CallerError, OutsideError, OwnerError, WalletError
    from mcp_wallet.core.reasons import ReasonCode
    from mcp_wallet.doors.mcp.serving import create_server
    from mcp_wallet.doors.python.answers import Budget, BudgetEntry, HistoryEntry
    from mcp_wallet.doors.python.errors import PolicyError
    from mcp_wallet.doors.python.playground import PythonPlayground, open_playground
    from mcp_wallet.doors.python.wallet import PolicyWallet, create_web3_adapter
    from mcp_wallet.wiring.adapter import Web3Adapter

__all__ = [
    "Budget",
    "BudgetEntry",
    "CallerError",
    "HistoryEntry",
    "OutsideError",
    "OwnerError",
    "PaymentResult",
    "PolicyError",
    "PolicyWallet",
    "PythonPlayground",
    "ReasonCode",
    "WalletError",
    "Web3Adapter",
    "__version__",
    "create_server",
    "create_web3_adapter",
    "open_playground",
]

__version__: Final = "0.1.0"

_PUBLIC: Final = {
    "WalletError": "mcp_wallet.core.errors",
    "CallerError": "mcp_wallet.core.errors",
    "OwnerError": "mcp_wallet.core.errors",
    "OutsideError": "mcp_wallet.core.errors",
    "ReasonCode": "mcp_wallet.core.reasons",
    "PolicyWallet": "mcp_wallet.doors.python.wallet",
    "create_web3_adapter": "mcp_wallet.doors.python.wallet",
    "create_server": "mcp_wallet.doors.mcp.serving",
    "PolicyError": "mcp_wallet.doors.python.errors",
    "PaymentResult": "mcp_wallet.contract.results",
    "Budget": "mcp_wallet.doors.python.answers",
    "BudgetEntry": "mcp_wallet.doors.python.answers",
    "HistoryEntry": "mcp_wallet.doors.python.answers",
    "Web3Adapter": "mcp_wallet.wiring.adapter",
    "open_playground": "mcp_wallet.doors.python.playground",
    "PythonPlayground": "mcp_wallet.doors.python.playground",
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
