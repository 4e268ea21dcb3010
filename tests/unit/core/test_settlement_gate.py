from dataclasses import replace
from typing import Any

import pytest

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.registry import Asset
from mcp_wallet.core.settlement_gate import TRANSFER_TOPIC, Log, Receipt, Settlement, check_settlement
from tests.approved import ALICE, ETH, EURC, KEY, MALLORY, REGISTRY, USDC, approved

HASH = "0x" + "ab" * 32
UNREGISTERED = Address("0x" + "99" * 20)


def word(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")


def transfer(sender: str, to: str, units: int, *, token: Address | None = USDC.token) -> Log:
    assert token is not None
    return Log(address=token, topics=(TRANSFER_TOPIC, word(sender), word(to)), data=f"0x{units:064x}")


PAID = transfer(KEY.address, ALICE, 50_000_000)


def receipt(*logs: Log, **changes: Any) -> Receipt:
    plain = Receipt(
        transaction_hash=HASH,
        status=1,
        block_number=12,
        block_hash="0x" + "cd" * 32,
        sender=KEY.address,
        to=USDC.token or "",
        gas_used=48_000,
        effective_gas_price_wei=1_000_000_000,
        logs=logs,
    )
    return replace(plain, **changes)


def settle(found: Receipt, asset: Asset = USDC) -> Settlement:
    payment = approved(asset)
    return check_settlement(intent=payment.intent, asset=asset, transaction_hash=HASH, receipt=found, registry=REGISTRY)


def test_the_approved_transfer_alone_is_confirmed():
    assert settle(receipt(PAID)).outcome == "confirmed"


def test_a_native_payment_without_token_movement_is_confirmed():
    assert settle(receipt(to=ALICE), ETH).outcome == "confirmed"


def test_a_revert_moves_nothing_and_still_costs_its_fee():
    found = receipt(status=0)
    assert settle(found).outcome == "reverted"
    assert found.fee_wei == 48_000 * 1_000_000_000


def test_the_fee_of_an_op_stack_chain_holds_its_l1_part():
    assert receipt(l1_fee_wei=5).fee_wei == 48_000 * 1_000_000_000 + 5


MISMATCHES = {
    "nothing moved": receipt(),
    "one unit less, as a fee-on-transfer token does": receipt(transfer(KEY.address, ALICE, 49_999_999)),
    "another recipient": receipt(transfer(KEY.address, MALLORY, 50_000_000)),
    "twice": receipt(PAID, PAID),
    "a fee beside it": receipt(PAID, transfer(KEY.address, MALLORY, 1)),
    "another registered token beside it": receipt(PAID, transfer(KEY.address, MALLORY, 1, token=EURC.token)),
    "another registered token instead": receipt(transfer(KEY.address, ALICE, 50_000_000, token=EURC.token)),
    "something came in beside it": receipt(PAID, transfer(MALLORY, KEY.address, 1)),
    "somebody else paid": receipt(transfer(MALLORY, ALICE, 50_000_000)),
    "a status that does not exist": receipt(PAID, status=2),
    "another transaction": receipt(PAID, transaction_hash="0x" + "00" * 32),
    "another sender": receipt(PAID, sender=MALLORY),
    "another contract": receipt(PAID, to=MALLORY),
    "a creation": receipt(PAID, to=""),
    "an unreadable transfer": receipt(PAID, replace(PAID, topics=PAID.topics[:2])),
    "an indexed amount": receipt(replace(PAID, topics=(*PAID.topics, PAID.data), data="0x")),
    "a short amount": receipt(PAID, replace(PAID, data="0x01")),
    "a party that is no address": receipt(
        PAID, replace(PAID, topics=(TRANSFER_TOPIC, "0x" + "f" * 64, PAID.topics[2]))
    ),
}


@pytest.mark.parametrize("found", MISMATCHES.values(), ids=MISMATCHES)
def test_any_other_effect_is_a_mismatch(found):
    assert settle(found).outcome == "mismatch"


@pytest.mark.parametrize("found", [receipt(PAID, to=ALICE), receipt(to=MALLORY)], ids=["a token moved", "elsewhere"])
def test_any_other_effect_of_a_native_payment_is_a_mismatch(found):
    assert settle(found, ETH).outcome == "mismatch"


IGNORED = {
    "a transfer of zero": transfer(KEY.address, MALLORY, 0),
    "an unregistered token": transfer(KEY.address, MALLORY, 10**30, token=UNREGISTERED),
    "strangers among themselves": transfer(MALLORY, ALICE, 7),
    "another event of the token": Log(
        address=PAID.address, topics=("0x" + "11" * 32, *PAID.topics[1:]), data=PAID.data
    ),
    "an anonymous event": Log(address=PAID.address, topics=(), data="0x"),
}


@pytest.mark.parametrize("log", IGNORED.values(), ids=IGNORED)
def test_what_anybody_can_make_appear_is_ignored(log):
    assert settle(receipt(log, PAID, log)).outcome == "confirmed"


def test_a_mismatch_says_what_the_chain_shows():
    assert settle(receipt(transfer(KEY.address, MALLORY, 3))).observed == (
        f"3 units of {USDC.token} from {KEY.address} to {MALLORY}"
    )


def test_a_token_registered_on_another_chain_only_is_not_registered_here():
    base_usdc = REGISTRY.asset(REGISTRY.chain("base").chain_id, "usdc")
    assert settle(receipt(PAID, transfer(KEY.address, MALLORY, 1, token=base_usdc.token))).outcome == "confirmed"
