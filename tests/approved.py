"""An approved payment to start from, as a token transfer and in the native coin; each test changes one thing."""

from dataclasses import dataclass, replace
from typing import Any

from mcp_wallet.core.approval import Approval
from mcp_wallet.core.building import build_payment
from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.intent import PaymentDraft, PaymentIntent
from mcp_wallet.core.local_key import LocalKey
from mcp_wallet.core.registry import SHIPPED, Asset, Registry, token_asset
from mcp_wallet.core.signing_gate import GateRefusal, Sealed, seal
from mcp_wallet.core.transaction import UnsignedTransaction, decode_unsigned, encode_unsigned

LOCAL = ChainId("eip155:31337")
KEY = LocalKey(bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"))
"""The first account of every development chain."""
ALICE = Address("0x" + "a1" * 20)
MALLORY = Address("0x" + "bad0" * 10)
NOW_MS = 1_750_000_000_000

USDC = SHIPPED.asset(LOCAL, "usdc")
ETH = SHIPPED.asset(LOCAL, "eth")
EURC = token_asset(LOCAL, "eurc", "0x" + "ec" * 20, 6)
REGISTRY = Registry(chains=SHIPPED.chains, assets=(*SHIPPED.assets, EURC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What Gate 2 is given, but for the bytes."""

    intent: PaymentIntent
    asset: Asset
    approval: Approval
    nonce: int

    @property
    def transaction(self) -> UnsignedTransaction:
        """What the honest builder makes of it."""
        return decode_unsigned(build_payment(self.intent, self.asset, self.approval, self.nonce))

    def seal(self, transaction: UnsignedTransaction | bytes, *, now_ms: int = NOW_MS) -> Sealed | GateRefusal:
        """Put bytes before the gate."""
        return seal(
            intent=self.intent,
            asset=self.asset,
            approval=self.approval,
            nonce=self.nonce,
            unsigned=transaction if isinstance(transaction, bytes) else encode_unsigned(transaction),
            registry=REGISTRY,
            now_ms=now_ms,
        )


def draft(asset: Asset = USDC, *, amount_units: int = 50_000_000, to: Address = ALICE) -> PaymentDraft:
    """Return a parsed payment that nobody has decided yet."""
    return PaymentDraft(
        org_id="org_test",
        agent_id="refund-processor",
        operation="transfer",
        chain=REGISTRY.chain(asset.chain),
        asset=asset,
        sender=KEY.address,
        to=to,
        payee="",
        amount_units=amount_units,
        reference="refund #1234",
        memo="",
        category="refund",
        memo_hash="",
        blind="",
        idempotency_key="",
    )


def approved(asset: Asset = USDC, *, amount_units: int = 50_000_000, nonce: int = 7) -> Approved:
    """Return an approved payment of this asset to Alice."""
    intent = draft(asset, amount_units=amount_units).intent("int_TEST")
    gas_limit = 21_000 if asset.token is None else 65_000
    approval = Approval(
        payment_id="pay_test",
        fingerprint=intent.fingerprint(),
        policy_hash="sha256:policy",
        settings_hash="sha256:settings",
        chain=asset.chain,
        sender=KEY.address,
        gas_limit=gas_limit,
        max_fee_wei=2_000_000_000,
        priority_fee_wei=1_000_000_000,
        fee_cap_wei=2 * gas_limit * 2_000_000_000,
        expires_at_ms=NOW_MS + 60_000,
    )
    return Approved(intent=intent, asset=asset, approval=approval, nonce=nonce)


def sealed(payment: Approved) -> Sealed:
    """Return the payment sealed as it was approved."""
    found = payment.seal(payment.transaction)
    assert isinstance(found, Sealed)
    return found


def with_approval(payment: Approved, **changes: Any) -> Approved:
    """Return the payment under a changed approval."""
    return replace(payment, approval=payment.approval._replace(**changes))
