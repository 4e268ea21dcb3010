"""Gate 2: the bytes to be signed *are* the payment that was approved, and the signed bytes still are.

It trusts no builder and no signer: it reads bytes, derives the payment from them alone, and compares. Only this
module makes a `Sealed`, and a signer takes nothing else. For a payment two shapes exist: `transfer(address,uint256)`
of a registered token without value, or a bare value without data. Approve, permit, creation, access lists and every
other transaction type have no shape here, so they are never signed.
"""

from dataclasses import InitVar, dataclass, replace
from typing import Final

from mcp_wallet.core.approval import Approval
from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import Asset, Registry
from mcp_wallet.core.transaction import (
    TransactionInvalid,
    UnsignedTransaction,
    decode_signed,
    decode_transfer,
    decode_unsigned,
    encode_unsigned,
)

_GATE: Final = object()
"""Shown by this module when it makes a `Sealed`; nobody else has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRefusal:
    """Why Gate 2 refused: one precise code, a sentence, and what differed."""

    code: ReasonCode
    message: str
    observed: str = ""
    expected: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Unsigned bytes that Gate 2 has proven to be the approved payment; only this module can make one."""

    payment_id: str
    fingerprint: str
    chain: ChainId
    sender: Address
    nonce: int
    unsigned: bytes
    gate: InitVar[object] = None

    def __post_init__(self, gate: object) -> None:
        """Refuse to exist outside the gate, also as a changed copy."""
        if gate is not _GATE:
            message = "only Gate 2 makes a Sealed"
            raise InvariantBroken(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Signed bytes that were read back and found to be the sealed ones, with the hash computed from them."""

    payment_id: str
    raw: bytes
    transaction_hash: str
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Payment:
    """What bytes do, derived from them alone."""

    chain: ChainId
    asset: Asset
    to: Address
    units: int

    def __str__(self) -> str:
        return f"{self.units} units of {self.asset.asset_id} to {self.to}"


def seal(
    *,
    intent: PaymentIntent,
    asset: Asset,
    approval: Approval,
    nonce: int,
    unsigned: bytes,
    registry: Registry,
    now_ms: int,
) -> Sealed | GateRefusal:
    """Return the sealed bytes, or why they may not be signed. Steps (1) to (6), the first difference answers.

    (1) The approval has not expired.
    (2) to (6) as in `reseal`.

    Args:
        intent: The approved intent; what it says of chain, asset, parties and amount is *not* used.
        asset: The intent's asset, for the sentence of a refusal.
        approval: Gate 1's single-use row, being consumed in this transaction.
        nonce: The account nonce that the ledger gave to this payment.
        unsigned: What a builder made: `0x02` and RLP, to be signed.
        registry: Says which tokens exist on which chain.
        now_ms: Unix time in milliseconds, from the ledger's clock.
    """
    if now_ms >= approval.expires_at_ms:  # (1)
        return GateRefusal(
            code=ReasonCode.APPROVAL_TOKEN_EXPIRED,
            message="The approval expired before it was used; nothing was signed.",
            observed=str(now_ms),
            expected=f"before {approval.expires_at_ms}",
        )
    return reseal(intent=intent, asset=asset, approval=approval, nonce=nonce, unsigned=unsigned, registry=registry)


def reseal(
    *, intent: PaymentIntent, asset: Asset, approval: Approval, nonce: int, unsigned: bytes, registry: Registry
) -> Sealed | GateRefusal:
    """Return the sealed bytes of an approval that was consumed in time (recovery signs the same bytes again).

    (2) The bytes decode strictly: type 2, canonical RLP, no access list, no creation.
    (3) They name the approved chain, and have one of the two legal shapes.
    (4) Chain, asset, from, to and amount, derived from the bytes alone and put into the intent in place of its own,
        give the approved fingerprint. *From* is the approval's sender: `check_signed` proves it by the signature.
    (5) The nonce is the ledger's.
    (6) Gas and fees are the approved ones, and gas times max fee is within the cap.
    """
    transaction = _decode(unsigned)  # (2)
    if isinstance(transaction, GateRefusal):
        return transaction
    payment = _derive(transaction, approval=approval, registry=registry)  # (3)
    if isinstance(payment, GateRefusal):
        return payment
    refusal = (
        _check_fingerprint(payment, intent=intent, asset=asset, approval=approval)  # (4)
        or _check_nonce(transaction, nonce)  # (5)
        or _check_fees(transaction, approval)  # (6)
    )
    if refusal is not None:
        return refusal
    return Sealed(
        payment_id=approval.payment_id,
        fingerprint=approval.fingerprint,
        chain=payment.chain,
        sender=approval.sender,
        nonce=transaction.nonce,
        unsigned=unsigned,
        gate=_GATE,
    )


def seal_replacement(*, approval: Approval, nonce: int, original: bytes, unsigned: bytes) -> Sealed | GateRefusal:
    """Return the sealed bytes of a transaction that takes an earlier one's place, or why they may not be signed.

    (1) Both decode strictly, as a payment's do.
    (2) With the original's fees in place of its own, the replacement is the original byte for byte.
    (3) Both fees are higher; a lower one would only be lost at the node.
    (4) Gas times max fee is within the cap. (5) The nonce is the ledger's.

    Args:
        approval: The payment's; its cap may have been lowered since, never raised.
        nonce: The account nonce that the ledger gave to this payment.
        original: The unsigned bytes that were sealed and signed before, for this payment.
        unsigned: What a builder made.
    """
    before, after = _decode(original), _decode(unsigned)  # (1)
    if isinstance(before, GateRefusal) or isinstance(after, GateRefusal):
        return _invalid("A replacement or what it replaces is not a plain payment; nothing was signed.")
    restored = replace(after, max_fee_wei=before.max_fee_wei, priority_fee_wei=before.priority_fee_wei)
    if encode_unsigned(restored) != original:  # (2)
        return GateRefusal(
            code=ReasonCode.FINGERPRINT_MISMATCH,
            message="A replacement differs from its original in more than its fees; nothing was signed.",
            observed="0x" + unsigned.hex(),
            expected="0x" + original.hex(),
        )
    if after.max_fee_wei <= before.max_fee_wei or after.priority_fee_wei <= before.priority_fee_wei:  # (3)
        return _invalid("A replacement must raise both fees; nothing was signed.")
    if after.fee_max_wei > approval.fee_cap_wei:  # (4)
        return GateRefusal(
            code=ReasonCode.FEE_CAP_EXCEEDED,
            message="A replacement would cost more than was approved; nothing was signed.",
            observed=str(after.fee_max_wei),
            expected=f"at most {approval.fee_cap_wei}",
        )
    refusal = _check_nonce(after, nonce)  # (5)
    if refusal is not None:
        return refusal
    return Sealed(
        payment_id=approval.payment_id,
        fingerprint=approval.fingerprint,
        chain=approval.chain,
        sender=approval.sender,
        nonce=nonce,
        unsigned=unsigned,
        gate=_GATE,
    )


def check_signed(sealed: Sealed, raw: bytes) -> Signed | GateRefusal:
    """Return the signed bytes as a value, or why they must not leave.

    (1) They decode strictly, with a low-s signature (a high-s twin would have another hash).
    (2) What was signed is, byte for byte, what was sealed.
    (3) The signature is the sealed sender's. The hash is computed here.
    """
    try:
        signed = decode_signed(raw)  # (1)
    except TransactionInvalid as problem:
        return _invalid(f"The signer returned bytes that are not a signed payment: {problem}.")
    if signed.unsigned_bytes != sealed.unsigned:  # (2)
        return GateRefusal(
            code=ReasonCode.FINGERPRINT_MISMATCH,
            message="The signer signed another transaction than the sealed one; it will not be sent.",
            observed="0x" + signed.unsigned_bytes.hex(),
            expected="0x" + sealed.unsigned.hex(),
        )
    if signed.sender != sealed.sender:  # (3)
        return GateRefusal(
            code=ReasonCode.FINGERPRINT_MISMATCH,
            message="The signature is of another account than the wallet's; it will not be sent.",
            observed=signed.sender,
            expected=sealed.sender,
        )
    return Signed(payment_id=sealed.payment_id, raw=raw, transaction_hash=signed.hash, nonce=sealed.nonce)


def _decode(unsigned: bytes) -> UnsignedTransaction | GateRefusal:
    try:
        return decode_unsigned(unsigned)
    except TransactionInvalid as problem:
        return _invalid(f"The bytes to be signed are not a plain payment: {problem}.")


def _derive(transaction: UnsignedTransaction, *, approval: Approval, registry: Registry) -> _Payment | GateRefusal:
    """Return what the bytes pay; a token that is not registered, or any other call, has no meaning here."""
    chain = ChainId(f"eip155:{transaction.chain_number}")
    if chain != approval.chain:
        return GateRefusal(
            code=ReasonCode.FINGERPRINT_MISMATCH,
            message="The bytes to be signed are for another chain than was approved; nothing was signed.",
            observed=chain,
            expected=approval.chain,
        )
    if not transaction.data:
        native = registry.native(chain)
        if native is None:
            return _invalid("The bytes to be signed pay a native coin that is not registered.")
        return _Payment(chain=chain, asset=native, to=transaction.to, units=transaction.value_wei)
    return _derive_transfer(transaction, chain=chain, registry=registry)


def _derive_transfer(transaction: UnsignedTransaction, *, chain: ChainId, registry: Registry) -> _Payment | GateRefusal:
    token = registry.token(chain, transaction.to)
    if token is None:
        return _invalid("The bytes to be signed call a contract that is not a registered token.")
    if transaction.value_wei:
        return _invalid("The bytes to be signed send the native coin along with a token transfer.")
    try:
        to, units = decode_transfer(transaction.data)
    except TransactionInvalid as problem:
        return _invalid(f"The bytes to be signed call a token with something else than a transfer: {problem}.")
    return _Payment(chain=chain, asset=token, to=to, units=units)


def _check_fingerprint(
    payment: _Payment, *, intent: PaymentIntent, asset: Asset, approval: Approval
) -> GateRefusal | None:
    derived = intent._replace(
        chain=payment.chain,
        asset=payment.asset.asset_id,
        sender=approval.sender,
        to=payment.to,
        amount=str(payment.units),
    )
    if derived.fingerprint() == approval.fingerprint:
        return None
    return GateRefusal(
        code=ReasonCode.FINGERPRINT_MISMATCH,
        message="The bytes to be signed are not the payment that was approved; nothing was signed.",
        observed=str(payment),
        expected=f"{intent.amount} units of {asset.asset_id} to {intent.to}",
    )


def _check_nonce(transaction: UnsignedTransaction, nonce: int) -> GateRefusal | None:
    if transaction.nonce == nonce:
        return None
    return GateRefusal(
        code=ReasonCode.NONCE_MISMATCH,
        message="The bytes to be signed have another account nonce than the ledger gave; nothing was signed.",
        observed=str(transaction.nonce),
        expected=str(nonce),
    )


def _check_fees(transaction: UnsignedTransaction, approval: Approval) -> GateRefusal | None:
    """Refuse more than was approved as `FEE_CAP_EXCEEDED`, less as invalid: it would get stuck or run out of gas."""
    observed = (transaction.gas_limit, transaction.max_fee_wei, transaction.priority_fee_wei)
    expected = (approval.gas_limit, approval.max_fee_wei, approval.priority_fee_wei)
    beyond_cap = transaction.gas_limit * transaction.max_fee_wei > approval.fee_cap_wei
    if observed == expected and not beyond_cap:
        return None
    exceeds = beyond_cap or any(o > e for o, e in zip(observed, expected, strict=True))
    return GateRefusal(
        code=ReasonCode.FEE_CAP_EXCEEDED if exceeds else ReasonCode.TRANSACTION_INVALID,
        message="The bytes to be signed offer other gas or fees than were approved; nothing was signed.",
        observed="gas {}, max fee {} wei, priority fee {} wei".format(*observed),
        expected="gas {}, max fee {} wei, priority fee {} wei, together at most {} wei".format(
            *expected, approval.fee_cap_wei
        ),
    )


def _invalid(message: str) -> GateRefusal:
    return GateRefusal(code=ReasonCode.TRANSACTION_INVALID, message=message)
