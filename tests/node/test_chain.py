"""Does a real node agree with what the wallet thinks of chains?"""

import subprocess
import sys
from dataclasses import replace

import pytest

from mcp_wallet.adapters.evm.chain import EvmChain
from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import FINALIZED
from mcp_wallet.core.transaction import assemble_signed, decode_signed
from mcp_wallet.ports import Sent
from tests.approved import ALICE, ETH, KEY, USDC, draft
from tests.node.faultproxy import FaultProxy
from tests.node.nodes import RunningNode
from tests.node.payments import FEE_CAP_WEI, chain_at, mined, settle, signed

BLACKLIST = bytes.fromhex("f9f92be4")
NOBODY = "http://127.0.0.1:9"
"""The discard port: nothing listens there."""

# --------------------------------------------------------------------------------------------------------- facts


async def test_the_facts_of_a_payable_token_payment(node: RunningNode, chain: EvmChain):
    facts = await chain.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    block = node.rpc("eth_getBlockByNumber", "latest", False)
    assert facts.source == "node:local"
    assert facts.block_time_ms == int(block["timestamp"], 16) * 1000
    assert facts.account_nonce == node.nonce()
    assert facts.asset_balance_units == node.dollars(KEY.address)
    assert facts.native_balance_wei == node.wei(KEY.address)
    assert (facts.simulation_revert, facts.recipient_code) == ("", "none")
    assert facts.gas_limit is not None
    assert 30_000 < facts.gas_limit < 100_000
    assert facts.max_fee_wei is not None
    assert facts.priority_fee_wei is not None
    assert facts.max_fee_wei >= int(block["baseFeePerGas"], 16) + facts.priority_fee_wei


async def test_a_plain_native_payment_takes_exactly_21000_gas(node: RunningNode, chain: EvmChain):
    facts = await chain.facts(draft(ETH), fee_cap_wei=FEE_CAP_WEI)
    assert (facts.gas_limit, facts.simulation_revert) == (21_000, "")
    assert facts.asset_balance_units == facts.native_balance_wei == node.wei(KEY.address)


async def test_the_quote_is_lowered_to_the_cap_and_not_below_what_can_be_mined(chain: EvmChain):
    free = await chain.facts(draft(ETH), fee_cap_wei=FEE_CAP_WEI)
    assert free.max_fee_wei is not None
    assert free.priority_fee_wei is not None
    base_wei = (free.max_fee_wei - free.priority_fee_wei) // 2
    enough, hopeless = (21_000 * (base_wei + free.priority_fee_wei + more) for more in (1, -(10**6)))
    assert (await chain.facts(draft(ETH), fee_cap_wei=enough)).max_fee_wei == enough // 21_000
    beyond = await chain.facts(draft(ETH), fee_cap_wei=hopeless)
    assert beyond.max_fee_wei is not None
    assert 21_000 * beyond.max_fee_wei > hopeless


async def test_a_revert_is_told_with_its_decoded_reason(node: RunningNode, chain: EvmChain):
    node.as_owner(BLACKLIST + bytes.fromhex(ALICE[2:]).rjust(32, b"\0"))
    facts = await chain.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    assert facts.simulation_revert == "Blacklistable: account is blacklisted"
    assert facts.gas_limit is None


async def test_too_little_of_the_token_is_a_revert_and_a_balance(node: RunningNode, chain: EvmChain):
    facts = await chain.facts(draft(amount_units=node.dollars(KEY.address) + 1), fee_cap_wei=FEE_CAP_WEI)
    assert facts.simulation_revert == "ERC20: transfer amount exceeds balance"
    assert facts.asset_balance_units == node.dollars(KEY.address)


async def test_too_little_native_coin_is_a_revert_and_a_balance(node: RunningNode, chain: EvmChain):
    facts = await chain.facts(draft(ETH, amount_units=node.wei(KEY.address) + 1), fee_cap_wei=FEE_CAP_WEI)
    assert facts.simulation_revert
    assert facts.native_balance_wei == node.wei(KEY.address)


async def test_a_contract_as_recipient_is_said_so_and_its_refusal_too(chain: EvmChain):
    facts = await chain.facts(draft(ETH, to=Address(str(USDC.token))), fee_cap_wei=FEE_CAP_WEI)
    assert facts.recipient_code == "contract"
    assert facts.simulation_revert


async def test_a_token_that_is_not_there_is_no_payment_into_nothing(chain: EvmChain):
    from tests.approved import EURC  # noqa: PLC0415  registered, never deployed

    facts = await chain.facts(draft(EURC), fee_cap_wei=FEE_CAP_WEI)
    assert facts.simulation_revert == "there is no token at the registered address"
    assert facts.gas_limit is None


# ------------------------------------------------------------------------------------------------ send and settle


@pytest.mark.parametrize("asset", [USDC, ETH], ids=["token", "native"])
async def test_a_payment_moves_exactly_its_amount_and_its_fee(node: RunningNode, chain: EvmChain, asset):
    payment = draft(asset)
    facts = await chain.facts(payment, fee_cap_wei=FEE_CAP_WEI)
    sent = signed(payment, facts, nonce=node.nonce())
    before = node.dollars(ALICE), node.wei(ALICE), node.wei(KEY.address)
    assert await chain.send(sent.raw) is Sent.ACCEPTED
    receipt = await mined(chain, sent.transaction_hash)
    assert settle(payment, sent, receipt).outcome == "confirmed"
    dollars, wei = (payment.amount_units, 0) if asset is USDC else (0, payment.amount_units)
    assert (node.dollars(ALICE) - before[0], node.wei(ALICE) - before[1]) == (dollars, wei)
    assert before[2] - node.wei(KEY.address) == wei + receipt.fee_wei
    assert facts.gas_limit is not None
    assert receipt.gas_used <= facts.gas_limit


async def test_a_transfer_that_reverts_on_chain_is_a_reverted_receipt(node: RunningNode, chain: EvmChain):
    payment = draft(amount_units=node.dollars(KEY.address) + 1)
    facts = await chain.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    sent = signed(payment, facts, nonce=node.nonce(), gas_limit=100_000)
    node.rpc("evm_setAutomine", False)
    assert await chain.send(sent.raw) is Sent.ACCEPTED
    node.rpc("evm_mine")
    receipt = await mined(chain, sent.transaction_hash)
    assert settle(payment, sent, receipt).outcome == "reverted"
    assert receipt.fee_wei > 0


async def test_before_it_is_mined_there_is_no_receipt(node: RunningNode, chain: EvmChain):
    node.rpc("evm_setAutomine", False)
    sent = await _send(node, chain)
    assert await chain.receipt(sent.transaction_hash) is None
    node.rpc("evm_mine")
    await mined(chain, sent.transaction_hash)


async def test_the_same_bytes_again_are_known_and_later_their_nonce_is_taken(node: RunningNode, chain: EvmChain):
    node.rpc("evm_setAutomine", False)
    sent = await _send(node, chain)
    assert await chain.send(sent.raw) is Sent.KNOWN
    node.rpc("evm_mine")
    await mined(chain, sent.transaction_hash)
    assert await chain.send(sent.raw) is Sent.NONCE_TOO_LOW


async def test_bytes_that_the_node_will_not_have_are_refused(node: RunningNode, chain: EvmChain):
    facts = await chain.facts(draft(ETH), fee_cap_wei=FEE_CAP_WEI)
    too_much = signed(draft(ETH, amount_units=10**24), facts, nonce=node.nonce())
    assert await chain.send(too_much.raw) is Sent.REFUSED


async def test_bytes_for_another_chain_are_refused(node: RunningNode, chain: EvmChain):
    from tests.approved import REGISTRY  # noqa: PLC0415

    base = REGISTRY.asset(ChainId("eip155:8453"), "eth")
    facts = await chain.facts(draft(ETH), fee_cap_wei=FEE_CAP_WEI)
    assert await chain.send(signed(draft(base), facts, nonce=node.nonce()).raw) is Sent.REFUSED


async def test_a_receipt_is_as_deep_as_blocks_stand_on_it(node: RunningNode, chain: EvmChain):
    sent = await _send(node, chain)
    receipt = await mined(chain, sent.transaction_hash)
    assert await chain.confirmations(receipt) == 1
    assert await chain.is_final(receipt, confirmations=1)
    assert not await chain.is_final(receipt, confirmations=2)
    node.rpc("evm_mine")
    assert await chain.confirmations(receipt) == 2
    assert await chain.is_final(receipt, confirmations=2)


async def test_finality_is_what_the_node_calls_finalized(node: RunningNode, chain: EvmChain):
    receipt = await mined(chain, (await _send(node, chain)).transaction_hash)
    final_at_once = node.name == "devnet"
    assert await chain.is_final(receipt, confirmations=FINALIZED) is final_at_once
    for _ in range(70):
        node.rpc("evm_mine")
    assert await chain.is_final(receipt, confirmations=FINALIZED)


async def test_a_block_that_a_reorg_took_away_confirms_nothing(node: RunningNode, chain: EvmChain):
    receipt = await mined(chain, (await _send(node, chain)).transaction_hash)
    gone = replace(receipt, block_hash="0x" + "00" * 32)
    ahead = replace(receipt, block_number=receipt.block_number + 1_000)
    for lost in (gone, ahead):
        assert await chain.confirmations(lost) == 0
        assert not await chain.is_final(lost, confirmations=1)


async def test_an_unknown_hash_has_no_receipt(chain: EvmChain):
    assert await chain.receipt("0x" + "12" * 32) is None


async def test_bytes_cut_in_transit_are_refused_by_the_node_too(node: RunningNode, chain: EvmChain):
    facts = await chain.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    raw = signed(draft(), facts, nonce=node.nonce()).raw
    assert await chain.send(raw[:-1]) is not Sent.ACCEPTED
    unsigned = decode_signed(raw).unsigned_bytes
    assert await chain.send(assemble_signed(unsigned, 0, 1, 1)) is not Sent.ACCEPTED


# -------------------------------------------------------------------------------------------------- several nodes


async def test_the_second_node_answers_when_the_first_is_down(node: RunningNode):
    chain = chain_at(NOBODY, node.url)
    payment = draft()
    facts = await chain.facts(payment, fee_cap_wei=FEE_CAP_WEI)
    sent = signed(payment, facts, nonce=node.nonce())
    assert await chain.send(sent.raw) is Sent.ACCEPTED
    await mined(chain, sent.transaction_hash)
    await chain.close()


async def test_the_second_node_is_asked_for_the_nonce_and_nothing_is_sent_to_it(node: RunningNode, proxy: FaultProxy):
    chain = chain_at(node.url, proxy.url)
    await mined(chain, (await _send(node, chain)).transaction_hash)
    witness = {"eth_chainId", "eth_getTransactionCount", "eth_getTransactionReceipt"}
    assert {call.method for call in proxy.calls} <= witness
    await chain.close()


async def test_no_node_at_all_is_one_clear_error_and_an_unknown_outcome():
    chain = chain_at(NOBODY, NOBODY)
    with pytest.raises(OutsideError, match="The node of local could not be reached") as caught:
        await chain.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    assert (caught.value.code, caught.value.retryable) == (ReasonCode.NODE_UNAVAILABLE, True)
    assert await chain.send(b"\x02") is Sent.UNREACHABLE
    await chain.close()


def test_a_chain_without_nodes_is_the_operators_to_put_right():
    with pytest.raises(OwnerError, match="No node is configured for local"):
        chain_at()


def test_nothing_heavy_is_imported_before_the_first_use():
    program = (
        "import sys, mcp_wallet.adapters.evm.chain; "
        "print(sorted({'web3', 'aiohttp', 'eth_account'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


async def _send(node: RunningNode, chain: EvmChain):
    facts = await chain.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    sent = signed(draft(), facts, nonce=node.nonce())
    assert await chain.send(sent.raw) is Sent.ACCEPTED
    return sent
