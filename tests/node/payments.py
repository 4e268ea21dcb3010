"""A payment on its whole way through the gates, for tests whose subject is the node."""

from mcp_wallet.adapters.evm.chain import EvmChain
from mcp_wallet.core.approval import Approval
from mcp_wallet.core.building import build_payment
from mcp_wallet.core.decision import Facts
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.intent import PaymentDraft
from mcp_wallet.core.settings import ChainSettings
from mcp_wallet.core.settlement_gate import Receipt, Settlement, check_settlement
from mcp_wallet.core.signing_gate import Sealed, Signed, check_signed, seal
from tests.approved import KEY, LOCAL, NOW_MS, REGISTRY

FEE_CAP_WEI = 10**17


def chain_at(*urls: str, chain: ChainId = LOCAL) -> EvmChain:
    """Return the adapter for nodes at these addresses."""
    settings = ChainSettings(
        chain_id=chain, nodes=urls, max_fee_wei=FEE_CAP_WEI, max_fee_per_day_wei=FEE_CAP_WEI, trust_single_node=True
    )
    return EvmChain(REGISTRY.chain(chain), settings, REGISTRY)


def signed(payment: PaymentDraft, facts: Facts, *, nonce: int, gas_limit: int | None = None) -> Signed:
    """Return the payment's signed bytes under an approval of the quoted fees."""
    gas = gas_limit or facts.gas_limit
    assert gas is not None
    assert facts.max_fee_wei is not None
    assert facts.priority_fee_wei is not None
    intent = payment.intent("int_TEST")
    approval = Approval(
        payment_id="pay_test",
        fingerprint=intent.fingerprint(),
        policy_hash="",
        settings_hash="",
        chain=payment.asset.chain,
        sender=KEY.address,
        gas_limit=gas,
        max_fee_wei=facts.max_fee_wei,
        priority_fee_wei=facts.priority_fee_wei,
        fee_cap_wei=FEE_CAP_WEI,
        expires_at_ms=NOW_MS + 60_000,
    )
    unsigned = build_payment(intent, payment.asset, approval, nonce)
    sealed = seal(
        intent=intent,
        asset=payment.asset,
        approval=approval,
        nonce=nonce,
        unsigned=unsigned,
        registry=REGISTRY,
        now_ms=NOW_MS,
    )
    assert isinstance(sealed, Sealed)
    found = check_signed(sealed, KEY.sign(sealed))
    assert isinstance(found, Signed)
    return found


def settle(payment: PaymentDraft, sent: Signed, receipt: Receipt) -> Settlement:
    """Return Gate 3's answer."""
    return check_settlement(
        intent=payment.intent("int_TEST"),
        asset=payment.asset,
        transaction_hash=sent.transaction_hash,
        receipt=receipt,
        registry=REGISTRY,
    )


async def mined(chain: EvmChain, transaction_hash: str) -> Receipt:
    """Return the receipt as soon as there is one."""
    while (receipt := await chain.receipt(transaction_hash)) is None:
        pass
    return receipt
