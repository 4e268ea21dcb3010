"""The approval: Gate 1's single-use permission for exactly one transaction. A ledger row is its only authority."""

from enum import StrEnum
from typing import Final, NamedTuple

from mcp_wallet.core.identifiers import Address, ChainId

APPROVAL_MS: Final = 60_000
"""An approval that was not claimed within this time is expired and its budget is given back."""


class Purpose(StrEnum):
    """What the one transaction is for."""

    PAY = "pay"
    REPLACE = "replace"


class Approval(NamedTuple):
    """Binds *what* (fingerprint, policy, settings) and *how* (chain, sender, gas, fees).

    The account nonce is bound when the approval is claimed, in the transaction that consumes it: a nonce given
    earlier would leave a gap whenever an approval expires (ADR 1).

    Args:
        max_fee_wei: EIP-1559 max fee per gas.
        priority_fee_wei: EIP-1559 max priority fee per gas.
        fee_cap_wei: Most that gas_limit × max_fee_wei may be.
    """

    payment_id: str
    fingerprint: str
    policy_hash: str
    settings_hash: str
    chain: ChainId
    sender: Address
    gas_limit: int
    max_fee_wei: int
    priority_fee_wei: int
    fee_cap_wei: int
    expires_at_ms: int
    purpose: Purpose = Purpose.PAY
