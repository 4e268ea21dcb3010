"""The honest builder: an approved intent as unsigned EIP-1559 bytes.

Nothing rests on its honesty: Gate 2 reads the bytes alone and takes those of any builder, or refuses them.
"""

from dataclasses import replace
from typing import Final

from mcp_wallet.core.approval import Approval
from mcp_wallet.core.identifiers import Address, chain_number
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.registry import Asset
from mcp_wallet.core.transaction import UnsignedTransaction, decode_unsigned, encode_transfer, encode_unsigned

BUMP_EIGHTHS: Final = 9
"""A node takes a replacement for more than a tenth more: an eighth is the next step (geth, reth)."""


def build_replacement(original: bytes) -> bytes:
    """Return the unsigned bytes with both fees an eighth higher, rounded up; everything else stays as it is.

    Raises:
        TransactionInvalid: When the original is not a plain payment.
    """
    transaction = decode_unsigned(original)
    return encode_unsigned(
        replace(
            transaction,
            max_fee_wei=-(-transaction.max_fee_wei * BUMP_EIGHTHS // 8),
            priority_fee_wei=-(-transaction.priority_fee_wei * BUMP_EIGHTHS // 8),
        )
    )


def build_payment(intent: PaymentIntent, asset: Asset, approval: Approval, nonce: int) -> bytes:
    """Return the bytes to be signed: `transfer(address,uint256)` on the token, or bare value for a native coin.

    Args:
        intent: What was approved.
        asset: The intent's asset, by the registry.
        approval: How it may be sent: chain, gas and fees.
        nonce: The account nonce that the ledger gave to this payment.
    """
    recipient = Address(intent.to)
    is_native = asset.token is None
    transaction = UnsignedTransaction(
        chain_number=chain_number(approval.chain),
        nonce=nonce,
        priority_fee_wei=approval.priority_fee_wei,
        max_fee_wei=approval.max_fee_wei,
        gas_limit=approval.gas_limit,
        to=asset.token or recipient,
        value_wei=intent.amount_units if is_native else 0,
        data=b"" if is_native else encode_transfer(recipient, intent.amount_units),
    )
    return encode_unsigned(transaction)
