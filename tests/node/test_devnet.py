"""Does the development chain behave as a real node does? What both can do is asked of anvil, too."""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from eth_typing import ChecksumAddress
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import ContractLogicError, Web3RPCError
from web3.types import RPCEndpoint

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.transaction import encode_transfer
from mcp_wallet.devnet import DEV_ACCOUNTS, DEV_CHAIN_NUMBER, DEV_USDC_ADDRESS, DEV_USDC_SUPPLY_UNITS
from mcp_wallet.devnet.client import Devnet, RpcRefusal, native_balance, rpc, start_devnet, usdc_balance
from mcp_wallet.devnet.token import creation_code, mint_call

ALICE = "0x" + "a1" * 20
GWEI = 10**9
SENDER = Account.from_key(DEV_ACCOUNTS[0].private_key)
DEPLOYER = Account.from_key(DEV_ACCOUNTS[9].private_key)
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TOO_MUCH = encode_transfer(Address(ALICE), 2 * DEV_USDC_SUPPLY_UNITS)
KNOWN = "already known|already imported"


@dataclass
class Client:
    """A web3 client of one node, and what these tests do with it."""

    w3: AsyncWeb3[AsyncHTTPProvider]
    url: str
    usdc: ChecksumAddress

    async def rpc(self, method: str, *params: object) -> Any:
        return await rpc(self.url, method, params)

    async def sign(self, account: Any = SENDER, **fields: Any) -> str:
        """Return signed bytes of a small payment to Alice, with any field changed."""
        transaction = {
            "type": 2,
            "chainId": DEV_CHAIN_NUMBER,
            "to": self.w3.to_checksum_address(ALICE),
            "value": 1,
            "gas": 21_000,
            "maxFeePerGas": 10 * GWEI,
            "maxPriorityFeePerGas": GWEI,
            "nonce": await self.w3.eth.get_transaction_count(account.address),
            **fields,
        }
        signed = account.sign_transaction({key: value for key, value in transaction.items() if value is not None})
        return str(signed.raw_transaction.to_0x_hex())

    async def receipt(self, transaction_hash: Any) -> Any:
        return await self.w3.eth.wait_for_transaction_receipt(transaction_hash, timeout=30, poll_latency=0.01)

    async def pay(self, account: Any = SENDER, **fields: Any) -> Any:
        return await self.receipt(await self.w3.eth.send_raw_transaction(await self.sign(account, **fields)))  # type: ignore[arg-type]

    async def refusal(self, raw: str) -> str:
        """Return why the node did not take the bytes."""
        with pytest.raises(RpcRefusal) as refused:
            await self.rpc("eth_sendRawTransaction", raw)
        return str(refused.value).lower()


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Client]:
    w3 = AsyncWeb3(AsyncHTTPProvider(url, exception_retry_configuration=None))
    yield Client(w3=w3, url=url, usdc=w3.to_checksum_address(DEV_USDC_ADDRESS))
    await w3.provider.disconnect()


@asynccontextmanager
async def running_anvil(binary: str) -> AsyncIterator[str]:
    """anvil on a free port, killed whatever happens."""
    command = [binary, "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            while line := await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 30):
                if match := re.match(r"Listening on (\S+)", line):
                    yield f"http://{match[1]}"
                    return
            pytest.fail("anvil ended before it listened")
        finally:
            process.kill()


@pytest.fixture(scope="module")
async def devnet() -> AsyncIterator[Devnet]:
    async with await start_devnet() as chain:
        yield chain


@pytest.fixture(scope="module")
def anvil_program(request: pytest.FixtureRequest, which: str) -> str:
    if which == "devnet":
        return ""
    return os.environ.get("ANVIL_BIN") or str(request.getfixturevalue("anvil_binary"))


@pytest.fixture(scope="module")
async def url(which: str, devnet: Devnet, anvil_program: str) -> AsyncIterator[str]:
    """Our node or anvil, with the same token at the same address."""
    if which == "devnet":
        yield devnet.url
        return
    async with running_anvil(anvil_program) as address, connect(address) as client:
        await client.pay(DEPLOYER, to=None, value=0, gas=3_000_000, data=creation_code())
        mint = mint_call(SENDER.address, DEV_USDC_SUPPLY_UNITS)
        await client.pay(DEPLOYER, to=client.usdc, value=0, gas=99_000, data=mint)
        yield address


@pytest.fixture(scope="module", params=["devnet", "anvil"])
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def as_it_was(url: str) -> AsyncIterator[Client]:
    """A client whose node is afterwards as it was."""
    async with connect(url) as client:
        snapshot = await client.rpc("evm_snapshot")
        yield client
        await client.rpc("evm_setAutomine", True)
        assert await client.rpc("evm_revert", snapshot)


@pytest.fixture
async def node(url: str) -> AsyncIterator[Client]:
    """Each node in turn."""
    async with as_it_was(url) as client:
        yield client


@pytest.fixture
async def ours(devnet: Devnet) -> AsyncIterator[Client]:
    """Our node alone, for what is its own."""
    async with as_it_was(devnet.url) as client:
        yield client


# --------------------------------------------------------------------------------------------------------- payments


async def test_ether_moves_and_the_fee_is_what_the_receipt_says(node: Client):
    before = await node.w3.eth.get_balance(SENDER.address)
    receipt = await node.pay(value=5)
    spent = before - await node.w3.eth.get_balance(SENDER.address)
    assert (receipt["status"], receipt["gasUsed"]) == (1, 21_000)
    assert spent == 5 + receipt["gasUsed"] * receipt["effectiveGasPrice"]
    assert await native_balance(node.url, ALICE) == 5


async def test_the_test_dollar_moves_with_exactly_one_transfer_log(node: Client):
    data = encode_transfer(Address(ALICE), 50_000_000)
    call: Any = {"from": SENDER.address, "to": node.usdc, "data": data}
    gas = await node.w3.eth.estimate_gas(call)
    receipt = await node.pay(to=node.usdc, value=0, data=data, gas=gas * 6 // 5)
    [log] = receipt["logs"]
    assert receipt["status"] == 1
    assert receipt["gasUsed"] <= gas
    assert [topic.to_0x_hex() for topic in log["topics"]] == [
        TRANSFER_TOPIC,
        "0x" + SENDER.address[2:].lower().rjust(64, "0"),
        "0x" + ALICE[2:].rjust(64, "0"),
    ]
    assert int.from_bytes(log["data"], "big") == 50_000_000
    assert await usdc_balance(node.url, ALICE) == 50_000_000
    wanted: Any = {"address": node.usdc, "fromBlock": receipt["blockNumber"], "topics": [TRANSFER_TOPIC]}
    assert [found["transactionHash"] for found in await node.w3.eth.get_logs(wanted)] == [receipt["transactionHash"]]


async def test_a_failing_call_says_why(node: Client):
    call: Any = {"from": SENDER.address, "to": node.usdc, "data": TOO_MUCH}
    with pytest.raises(ContractLogicError, match="transfer amount exceeds balance"):
        await node.w3.eth.call(call)
    with pytest.raises(ContractLogicError, match="transfer amount exceeds balance"):
        await node.w3.eth.estimate_gas(call)
    answer = await node.w3.provider.make_request(RPCEndpoint("eth_call"), [{**call, "data": "0x" + TOO_MUCH.hex()}])
    error: Any = answer["error"]
    assert error["code"] == 3
    assert error["data"].startswith("0x08c379a0")


async def test_a_transaction_that_reverts_is_mined_with_status_zero(node: Client):
    receipt = await node.pay(to=node.usdc, value=0, data=TOO_MUCH, gas=99_000)
    assert receipt["status"] == 0
    assert receipt["logs"] == []
    assert await usdc_balance(node.url, ALICE) == 0


# ------------------------------------------------------------------------------------------------------- pool rules


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"chainId": 1}, "chain ?id"),
        ({"gas": 20_999}, "intrinsic gas too low"),
        ({"value": 10**24}, "insufficient funds"),
        ({"gas": 31_000_000}, "exceeds block gas limit|gas limit"),
    ],
)
async def test_what_no_block_can_hold_is_refused(ours: Client, fields: dict[str, int], why: str):
    raw = await ours.sign(**fields)
    assert re.search(why, await ours.refusal(raw))


async def test_a_transaction_of_another_chain_is_refused_and_nothing_moves(node: Client):
    assert re.search("chain ?id", await node.refusal(await node.sign(chainId=1)))
    await node.rpc("evm_mine")
    assert await native_balance(node.url, ALICE) == 0


async def test_a_used_nonce_is_too_low_even_for_the_same_bytes(node: Client):
    raw = await node.sign()
    await node.receipt(await node.rpc("eth_sendRawTransaction", raw))
    assert re.search(f"nonce too low|{KNOWN}", await node.refusal(raw))
    assert "nonce too low" in await node.refusal(await node.sign(nonce=0, value=2))


async def test_the_same_bytes_are_known_while_they_wait(node: Client):
    await node.rpc("evm_setAutomine", False)
    raw = await node.sign()
    transaction_hash = await node.rpc("eth_sendRawTransaction", raw)
    assert re.search(KNOWN, await node.refusal(raw))
    waiting = await node.rpc("eth_getTransactionByHash", transaction_hash)
    assert waiting["blockNumber"] is None
    assert await node.rpc("eth_getTransactionReceipt", transaction_hash) is None


async def test_a_gap_waits_and_the_pending_nonce_stops_before_it(node: Client):
    nonce = await node.w3.eth.get_transaction_count(SENDER.address)
    await node.rpc("evm_setAutomine", False)
    for ahead in (0, 2):
        await node.rpc("eth_sendRawTransaction", await node.sign(nonce=nonce + ahead))
    assert await node.w3.eth.get_transaction_count(SENDER.address, "pending") == nonce + 1
    await node.rpc("evm_mine")
    assert await node.w3.eth.get_transaction_count(SENDER.address) == nonce + 1
    await node.rpc("eth_sendRawTransaction", await node.sign(nonce=nonce + 1))
    assert await node.w3.eth.get_transaction_count(SENDER.address, "pending") == nonce + 3
    await node.rpc("evm_mine")
    assert await native_balance(node.url, ALICE) == 3


async def test_a_replacement_must_pay_more_and_then_wins(node: Client):
    await node.rpc("evm_setAutomine", False)
    first = await node.rpc("eth_sendRawTransaction", await node.sign())
    assert "replacement transaction underpriced" in await node.refusal(await node.sign(value=2))
    raw = await node.sign(value=2, maxPriorityFeePerGas=GWEI * 9 // 8, maxFeePerGas=10 * GWEI * 9 // 8)
    second = await node.rpc("eth_sendRawTransaction", raw)
    await node.rpc("evm_mine")
    assert (await node.receipt(second))["status"] == 1
    assert await node.rpc("eth_getTransactionReceipt", first) is None
    assert await native_balance(node.url, ALICE) == 2


@pytest.mark.parametrize(("tip_percent", "fee_percent"), [(200, 100), (100, 200), (109, 109), (200, 109), (109, 200)])
async def test_less_than_a_tenth_more_in_either_fee_replaces_nothing(ours: Client, tip_percent: int, fee_percent: int):
    """As geth; anvil takes any fee that is higher."""
    await ours.rpc("evm_setAutomine", False)
    first = await ours.rpc("eth_sendRawTransaction", await ours.sign())
    fees = {"maxPriorityFeePerGas": GWEI * tip_percent // 100, "maxFeePerGas": GWEI * fee_percent // 10}
    assert "replacement transaction underpriced" in await ours.refusal(await ours.sign(value=2, **fees))
    await ours.rpc("evm_mine")
    assert (await ours.receipt(first))["status"] == 1


async def test_what_waits_counts_as_spent(ours: Client):
    await ours.rpc("evm_setAutomine", False)
    nonce = await ours.w3.eth.get_transaction_count(SENDER.address)
    half = await ours.w3.eth.get_balance(SENDER.address) // 2
    await ours.rpc("eth_sendRawTransaction", await ours.sign(nonce=nonce, value=half))
    assert "insufficient funds" in await ours.refusal(await ours.sign(nonce=nonce + 1, value=half))


async def test_a_fee_below_the_base_fee_waits_until_it_is_raised(ours: Client):
    low = await ours.rpc("eth_sendRawTransaction", await ours.sign(maxFeePerGas=1000, maxPriorityFeePerGas=1000))
    assert await ours.rpc("eth_getTransactionReceipt", low) is None
    assert (await ours.pay(value=2))["status"] == 1
    assert await native_balance(ours.url, ALICE) == 2


async def test_a_dropped_transaction_is_gone_until_it_is_sent_again(ours: Client):
    await ours.rpc("evm_setAutomine", False)
    raw = await ours.sign()
    transaction_hash = await ours.rpc("eth_sendRawTransaction", raw)
    assert await ours.rpc("test_drop", transaction_hash) is True
    assert await ours.rpc("test_drop", transaction_hash) is False
    assert await ours.rpc("eth_getTransactionByHash", transaction_hash) is None
    assert await ours.rpc("eth_sendRawTransaction", raw) == transaction_hash


async def test_a_reverted_snapshot_forgets_blocks_as_a_reorg_does(ours: Client):
    snapshot = await ours.rpc("evm_snapshot")
    raw = await ours.sign()
    transaction_hash = await ours.rpc("eth_sendRawTransaction", raw)
    block_hash = (await ours.rpc("eth_getTransactionReceipt", transaction_hash))["blockHash"]
    assert await ours.rpc("evm_revert", snapshot) is True
    assert await ours.rpc("evm_revert", snapshot) is False
    assert await ours.rpc("eth_getTransactionReceipt", transaction_hash) is None
    assert await ours.rpc("eth_getBlockByHash", block_hash, False) is None
    assert await native_balance(ours.url, ALICE) == 0
    assert (await ours.receipt(await ours.rpc("eth_sendRawTransaction", raw)))["status"] == 1
    assert await native_balance(ours.url, ALICE) == 1


# ---------------------------------------------------------------------------------------------------- what it tells


async def test_fees_blocks_and_tags_are_of_the_form_that_clients_expect(ours: Client):
    await ours.pay(maxPriorityFeePerGas=3 * GWEI)
    history = await ours.w3.eth.fee_history(10, "latest", [0, 50, 100])
    newest = await ours.w3.eth.get_block("latest", full_transactions=True)
    base_fee = newest["baseFeePerGas"]
    assert history["reward"][-1] == [3 * GWEI] * 3
    assert history["baseFeePerGas"][-2] == base_fee
    assert len(history["baseFeePerGas"]) == len(history["gasUsedRatio"]) + 1 == len(history["reward"]) + 1
    assert await ours.w3.eth.max_priority_fee == GWEI
    assert await ours.w3.eth.gas_price == history["baseFeePerGas"][-1] + GWEI
    for tag in ("safe", "finalized", newest["number"], newest["hash"]):
        assert (await ours.w3.eth.get_block(tag))["hash"] == newest["hash"]
    transactions: Any = newest["transactions"]
    assert [transaction["from"] for transaction in transactions] == [SENDER.address]
    assert await ours.rpc("eth_getBlockByNumber", hex(newest["number"] + 1), False) is None
    assert await ours.w3.eth.chain_id == DEV_CHAIN_NUMBER


async def test_an_old_block_still_answers_for_its_state(ours: Client):
    number = await ours.w3.eth.block_number
    await ours.pay(value=7)
    alice = ours.w3.to_checksum_address(ALICE)
    assert [await ours.w3.eth.get_balance(alice, block) for block in (number, number + 1)] == [0, 7]
    with pytest.raises(Web3RPCError, match="header not found"):
        await ours.w3.eth.get_balance(alice, number + 2)


async def test_the_token_has_code_and_an_account_has_none(ours: Client):
    assert len(await ours.w3.eth.get_code(ours.usdc)) > 5_000
    assert await ours.w3.eth.get_code(ours.w3.to_checksum_address(ALICE)) == b""
    assert await usdc_balance(ours.url, DEV_ACCOUNTS[0].address) == DEV_USDC_SUPPLY_UNITS


async def test_an_account_without_ether_may_ask_but_not_pay(ours: Client):
    poor: Any = {"from": ours.w3.to_checksum_address(ALICE), "to": SENDER.address}
    assert await ours.w3.eth.call(poor) == b""
    assert await ours.w3.eth.estimate_gas(poor) == 21_000
    with pytest.raises(Web3RPCError, match="insufficient funds"):
        await ours.w3.eth.estimate_gas(poor | {"value": 1})
