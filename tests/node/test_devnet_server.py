"""Does the development chain outlive nonsense and crowds, and end when it should?"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from mcp_wallet.devnet import DEV_ACCOUNTS, DEV_CHAIN_NUMBER
from mcp_wallet.devnet.client import Devnet, fund, native_balance, rpc, start_devnet, usdc_balance

ALICE = "0x" + "a1" * 20


@pytest.fixture(scope="module")
async def ours() -> AsyncIterator[Devnet]:
    async with await start_devnet() as chain:
        yield chain


async def post(url: str, body: bytes) -> Any:
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as response:
        return await response.json() if response.status == 200 else response.status


def nested_lists(depth: int) -> bytes:
    """Return RLP of an empty list inside that many others."""
    raw, length = b"\xc0", 1
    headers: list[bytes] = []
    for _ in range(depth):
        digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
        headers.append(bytes([0xC0 + length]) if length < 56 else bytes([0xF7 + len(digits)]) + digits)
        length += len(headers[-1])
    return b"".join(reversed(headers)) + raw


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"1", -32600),
        (b"{}", -32600),
        (b'{"id":1,"method":5}', -32600),
        (b'{"id":{},"method":"eth_chainId"}', -32600),
        (b'{"id":1,"method":"eth_sendTransaction","params":[{}]}', -32601),
        (b'{"id":1,"method":"eth_call","params":{}}', -32602),
        (b'{"id":1,"method":"eth_call","params":[]}', -32602),
        (b'{"id":1,"method":"eth_getBalance","params":["0x12","latest"]}', -32602),
        (b'{"id":1,"method":"eth_getBlockByNumber","params":["0x01",false]}', -32602),
        (b'{"id":1,"method":"eth_feeHistory","params":["0x1","latest",[90,10]]}', -32602),
        (b'{"id":1,"method":"eth_sendRawTransaction","params":["0x02c0"]}', -32000),
        (b'{"id":1,"method":"eth_sendRawTransaction","params":["0x"]}', -32000),
        (
            b'{"id":1,"method":"eth_sendRawTransaction","params":["0x02%s"]}' % nested_lists(20_000).hex().encode(),
            -32000,
        ),
    ],
)
async def test_nonsense_gets_its_error_and_the_node_lives_on(ours: Devnet, body: bytes, code: int):
    assert (await post(ours.url, body))["error"]["code"] == code
    assert await rpc(ours.url, "eth_chainId") == hex(DEV_CHAIN_NUMBER)


async def test_a_batch_is_answered_in_order_and_a_notification_is_not(ours: Devnet):
    one = b'{"jsonrpc":"2.0","id":%d,"method":"eth_chainId"}'
    note = b'{"jsonrpc":"2.0","method":"eth_chainId"}'
    answers = await post(ours.url, b"[" + b",".join([one % 1, note, one % 2]) + b"]")
    assert [answer["id"] for answer in answers] == [1, 2]
    assert await post(ours.url, note) == 204


async def test_many_fund_at_once_and_each_gets_its_own(ours: Devnet):
    accounts = ["0x" + f"{number:02x}" * 20 for number in range(0xB0, 0xB8)]
    await asyncio.gather(*(fund(ours.url, account, wei=i, usdc_units=i) for i, account in enumerate(accounts, 1)))
    assert [await native_balance(ours.url, account) for account in accounts] == [*range(1, 9)]
    assert [await usdc_balance(ours.url, account) for account in accounts] == [*range(1, 9)]


async def test_without_automine_a_block_comes_when_asked_for():
    async with await start_devnet(automine=False, token=False) as chain:
        assert chain.usdc == ""
        assert await rpc(chain.url, "eth_getTransactionCount", [DEV_ACCOUNTS[9].address]) == "0x0"
        await rpc(chain.url, "evm_mine", [{"blocks": 3}])
        assert await rpc(chain.url, "eth_blockNumber") == "0x3"
        await fund(chain.url, ALICE, wei=9)
        assert await rpc(chain.url, "eth_blockNumber") == "0x4"
        assert await native_balance(chain.url, ALICE) == 9


ENDINGS: dict[str, Callable[["subprocess.Popen[str]"], None]] = {
    "stdin closes": lambda process: process.stdin.close(),  # type: ignore[union-attr]
    "SIGTERM": lambda process: process.send_signal(signal.SIGTERM),
    "SIGINT": lambda process: process.send_signal(signal.SIGINT),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_the_node_ends_when_it_should(ending: str):
    command = [sys.executable, "-m", "mcp_wallet.devnet", "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 60)
        assert '"chainId": 31337' in ready
        ENDINGS[ending](process)
        assert await asyncio.to_thread(process.wait, 30) == 0
