"""A node that breaks, lies or talks nonsense: nothing is believed, nothing is sent twice, nothing crashes."""

import asyncio
import json

import pytest

from mcp_wallet.adapters.evm.chain import EvmChain
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.ports import Sent
from tests.approved import draft
from tests.node.faultproxy import LIE, SEND, Fault, FaultProxy
from tests.node.nodes import RunningNode
from tests.node.payments import FEE_CAP_WEI, chain_at, mined, settle, signed

# ----------------------------------------------------------------------------------------- faults around the send

SENT_BUT_UNKNOWN = [Fault.DROP_AFTER, Fault.ERROR503_AFTER]


async def _ready(node: RunningNode, chain: EvmChain):
    facts = await chain.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    return signed(draft(), facts, nonce=node.nonce())


@pytest.mark.parametrize("fault", SENT_BUT_UNKNOWN)
async def test_a_lost_answer_is_unknown_although_the_payment_lands(node, proxy, proxied, fault):
    sent = await _ready(node, proxied)
    proxy.fault = fault
    assert await proxied.send(sent.raw) is Sent.UNREACHABLE
    assert settle(draft(), sent, await mined(proxied, sent.transaction_hash)).outcome == "confirmed"
    assert proxy.count(SEND) == 1


async def test_a_lost_request_is_just_as_unknown_and_the_same_bytes_pay_once(node, proxy, proxied):
    sent = await _ready(node, proxied)
    proxy.fault = Fault.DROP_BEFORE
    assert await proxied.send(sent.raw) is Sent.UNREACHABLE
    assert proxy.count(SEND) == 1
    assert await proxied.receipt(sent.transaction_hash) is None
    proxy.fault = Fault.NONE
    assert await proxied.send(sent.raw) is Sent.ACCEPTED
    await mined(proxied, sent.transaction_hash)


async def test_a_lie_about_the_hash_is_ignored(node, proxy, proxied):
    sent = await _ready(node, proxied)
    proxy.fault = Fault.LIE_HASH
    assert await proxied.send(sent.raw) is Sent.ACCEPTED
    assert sent.transaction_hash != LIE
    assert settle(draft(), sent, await mined(proxied, sent.transaction_hash)).outcome == "confirmed"


async def test_a_caller_that_gives_up_on_a_held_send_has_sent_it_once(node, proxy, proxied):
    sent = await _ready(node, proxied)
    proxy.fault = Fault.HOLD
    sending = asyncio.create_task(proxied.send(sent.raw))
    await proxy.seen(SEND)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await proxied.receipt(sent.transaction_hash) is None
    proxy.release()
    await mined(proxied, sent.transaction_hash)
    assert proxy.count(SEND) == 1


async def test_callers_that_give_up_at_any_moment_leave_the_chain_usable(proxied):
    for turns in range(60):
        asking = asyncio.create_task(proxied.facts(draft(), fee_cap_wei=FEE_CAP_WEI))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert (await proxied.facts(draft(), fee_cap_wei=FEE_CAP_WEI)).source


# ------------------------------------------------------------------------------------------------- another chain


async def test_a_node_on_another_chain_is_refused_before_anything_is_asked(proxy, proxied):
    proxy.answers["eth_chainId"] = "0x1"
    with pytest.raises(OutsideError, match="serves chain 1, not 31337") as caught:
        await proxied.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    assert (caught.value.code, caught.value.retryable) == (ReasonCode.CHAIN_MISMATCH, False)
    assert {call.method for call in proxy.calls} == {"eth_chainId"}


async def test_a_node_on_another_chain_gets_no_bytes(node, chain, proxy, proxied):
    sent = await _ready(node, chain)
    proxy.answers["eth_chainId"] = "0x1"
    assert await proxied.send(sent.raw) is Sent.UNREACHABLE
    assert proxy.count(SEND) == 0


async def test_a_node_that_changes_its_chain_is_found_out_at_the_next_payment(proxy, proxied):
    await proxied.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    proxy.answers["eth_chainId"] = "0x2105"
    with pytest.raises(OutsideError) as caught:
        await proxied.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    assert caught.value.code is ReasonCode.CHAIN_MISMATCH


async def test_a_first_node_on_another_chain_is_not_skipped(node, proxy):
    proxy.answers["eth_chainId"] = "0x1"
    chain = chain_at(proxy.url, node.url)
    with pytest.raises(OutsideError) as caught:
        await chain.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    assert caught.value.code is ReasonCode.CHAIN_MISMATCH
    await chain.close()


# ------------------------------------------------------------------------------------------------------ nonsense

ASKED_FOR_FACTS = [
    "eth_chainId",
    "eth_getBlockByNumber",
    "eth_feeHistory",
    "eth_getTransactionCount",
    "eth_getBalance",
    "eth_getCode",
    "eth_estimateGas",
]
NONSENSE: dict[str, object] = {
    "null": None,
    "a number": 7,
    "a negative quantity": "-0x1",
    "too large": "0x1" + "0" * 64,
    "empty text": "",
    "half a byte more": "0xzz",
    "a list": [],
    "an object": {},
    "an object of nonsense": {"number": [], "hash": 1, "timestamp": "now", "baseFeePerGas": {}, "reward": 3},
    "no JSON": b"<html>busy</html>",
    "not UTF-8": b"\xff\xfe",
    "a JSON list": b"[]",
    "JSON text": b'"0x1"',
    "no result": b'{"jsonrpc": "2.0", "id": 1}',
    "an error that is none": b'{"jsonrpc": "2.0", "id": 1, "error": "no"}',
    "an error of nonsense": b'{"jsonrpc": "2.0", "id": 1, "error": {"code": "x", "message": {}, "data": []}}',
    "deeper than any parser": b"[" * 200_000,
    "a number of many digits": b'{"result": ' + b"9" * 10_000 + b"}",
    "longer than any answer": b'{"result": "0x' + b"0" * (9 << 20) + b'"}',
}


@pytest.mark.parametrize("method", ASKED_FOR_FACTS)
async def test_nonsense_instead_of_a_fact_is_an_unavailable_node(proxy, proxied, method):
    for name, nonsense in NONSENSE.items():
        proxy.answers = {method: nonsense}
        with pytest.raises(OutsideError) as caught:
            await proxied.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
        assert caught.value.code is ReasonCode.NODE_UNAVAILABLE, name
        assert "busy" not in caught.value.message


async def test_nonsense_instead_of_a_simulation_is_never_a_passing_one(proxy, proxied):
    for name, nonsense in NONSENSE.items():
        proxy.answers = {"eth_call": nonsense}
        try:
            facts = await proxied.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
        except OutsideError:
            continue
        assert facts.simulation_revert, name


async def test_nonsense_after_a_send_is_unknown(node, proxy, proxied):
    sent = await _ready(node, proxied)
    for name, nonsense in NONSENSE.items():
        proxy.answers = {SEND: nonsense}
        assert await proxied.send(sent.raw) in {Sent.UNREACHABLE, Sent.REFUSED}, name


async def test_nonsense_instead_of_a_receipt_is_no_receipt(node, proxy, proxied):
    sent = await _ready(node, proxied)
    assert await proxied.send(sent.raw) is Sent.ACCEPTED
    await mined(proxied, sent.transaction_hash)
    for name, nonsense in NONSENSE.items():
        proxy.answers = {"eth_getTransactionReceipt": nonsense}
        if nonsense is None:
            assert await proxied.receipt(sent.transaction_hash) is None, name
            continue
        with pytest.raises(OutsideError):
            await proxied.receipt(sent.transaction_hash)


async def test_a_receipt_without_a_block_is_none_yet(node, proxy, proxied):
    sent = await _ready(node, proxied)
    await proxied.send(sent.raw)
    await mined(proxied, sent.transaction_hash)
    honest = node.rpc("eth_getTransactionReceipt", sent.transaction_hash)
    proxy.answers = {"eth_getTransactionReceipt": honest | {"blockNumber": None}}
    assert await proxied.receipt(sent.transaction_hash) is None


FIELDS = [
    "transactionHash",
    "blockHash",
    "blockNumber",
    "status",
    "from",
    "to",
    "gasUsed",
    "effectiveGasPrice",
    "logs",
    "l1Fee",
]


@pytest.mark.parametrize("field", FIELDS)
async def test_one_field_of_nonsense_makes_the_whole_receipt_unusable(node, proxy, proxied, field):
    sent = await _ready(node, proxied)
    await proxied.send(sent.raw)
    await mined(proxied, sent.transaction_hash)
    honest = node.rpc("eth_getTransactionReceipt", sent.transaction_hash)
    bad: tuple[object, ...] = (7, "0x", "0x1" + "0" * 64, [1], [{}], {"a": 1}, True, "é")
    for nonsense in bad:
        proxy.answers = {"eth_getTransactionReceipt": honest | {field: nonsense}}
        with pytest.raises(OutsideError):
            await proxied.receipt(sent.transaction_hash)


@pytest.mark.parametrize("field", ["address", "topics", "data", "removed"])
async def test_one_field_of_nonsense_in_a_log_makes_the_whole_receipt_unusable(node, proxy, proxied, field):
    sent = await _ready(node, proxied)
    await proxied.send(sent.raw)
    await mined(proxied, sent.transaction_hash)
    honest = node.rpc("eth_getTransactionReceipt", sent.transaction_hash)
    bad: tuple[object, ...] = (7, "0x1", [1], ["0x" + "0" * 64] * 5, {"a": 1}, True)
    for nonsense in bad:
        logs = [log | {field: nonsense} for log in honest["logs"]]
        proxy.answers = {"eth_getTransactionReceipt": honest | {"logs": logs}}
        with pytest.raises(OutsideError):
            await proxied.receipt(sent.transaction_hash)


async def test_a_receipt_of_another_transaction_is_no_receipt(node, proxy, proxied):
    sent = await _ready(node, proxied)
    await proxied.send(sent.raw)
    await mined(proxied, sent.transaction_hash)
    proxy.answers = {"eth_getTransactionReceipt": node.rpc("eth_getTransactionReceipt", sent.transaction_hash)}
    with pytest.raises(OutsideError, match="malformed"):
        await proxied.receipt("0x" + "12" * 32)


async def test_a_token_that_answers_false_would_not_pay(proxy, proxied):
    proxy.answers = {"eth_call": "0x" + "0" * 64}
    facts = await proxied.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    assert facts.simulation_revert == "the token answers that it would not transfer"


async def test_a_node_that_is_too_busy_for_a_simulation_says_nothing_about_the_payment(proxy, proxied):
    busy = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "rate limited"}}
    proxy.answers = {"eth_estimateGas": json.dumps(busy).encode()}
    with pytest.raises(OutsideError) as caught:
        await proxied.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    assert caught.value.code is ReasonCode.NODE_UNAVAILABLE


async def test_a_redirect_is_not_followed(node, proxy: FaultProxy):
    from aiohttp import web  # noqa: PLC0415

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"location": proxy.url})

    app = web.Application()
    app.router.add_post("/", redirect)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    chain = chain_at(f"http://127.0.0.1:{runner.addresses[0][1]}")
    with pytest.raises(OutsideError):
        await chain.facts(draft(), fee_cap_wei=FEE_CAP_WEI)
    assert proxy.calls == []
    await chain.close()
    await runner.cleanup()
