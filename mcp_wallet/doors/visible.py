"""Untrusted text as people may see it; written in contract, because doors outside this package show it too."""

from mcp_wallet.contract.wording import visible

__all__ = ["visible"]
