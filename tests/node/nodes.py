"""Real nodes to test against, as child processes: the development chain, and anvil with the same accounts and token."""

import json
import subprocess
import sys
import threading
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from mcp_wallet.core.identifiers import Address, checksum_address
from mcp_wallet.core.transaction import UnsignedTransaction, assemble_signed, encode_unsigned, signing_hash
from mcp_wallet.devnet import DEV_ACCOUNTS, DEV_CHAIN_NUMBER, DEV_USDC_ADDRESS, DEV_USDC_SUPPLY_UNITS, DevAccount
from tests.approved import KEY

OWNER = DEV_ACCOUNTS[9]
"""Deploys the test dollar, mints it, and may blacklist."""
USDC = Address(DEV_USDC_ADDRESS)


@dataclass(frozen=True)
class RunningNode:
    """A node on the development chain whose first account is the wallet's."""

    name: str
    url: str

    def rpc(self, method: str, *params: object) -> Any:
        """Return what the node answers; a refusal fails the test."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            reply = json.load(response)
        assert "error" not in reply, reply
        return reply["result"]

    def dollars(self, of: Address) -> int:
        """Return an account's test dollars, in base units."""
        return int(self.rpc("eth_call", {"to": USDC, "data": "0x70a08231" + of[2:].rjust(64, "0")}, "latest"), 16)

    def wei(self, of: Address) -> int:
        """Return an account's native coin."""
        return int(self.rpc("eth_getBalance", of, "latest"), 16)

    def nonce(self, of: Address = KEY.address) -> int:
        """Return the mined transactions of an account, the wallet's unless told otherwise."""
        return int(self.rpc("eth_getTransactionCount", of, "latest"), 16)

    def as_owner(self, data: bytes) -> None:
        """Call the test dollar as its owner."""
        self.send_as(OWNER, to=USDC, data=data)

    def send_as(self, account: DevAccount, *, to: Address, data: bytes = b"", value_wei: int = 0) -> str:
        """Send a transaction with an account's own key, and wait until it is mined; return its hash."""
        unsigned = encode_unsigned(
            UnsignedTransaction(
                chain_number=DEV_CHAIN_NUMBER,
                nonce=self.nonce(Address(account.address)),
                priority_fee_wei=10**9,
                max_fee_wei=10**10,
                gas_limit=200_000,
                to=to,
                value_wei=value_wei,
                data=data,
            )
        )
        key = PrivateKey(bytes.fromhex(account.private_key[2:]))
        signature = key.sign_recoverable(signing_hash(unsigned), hasher=None)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        raw = assemble_signed(unsigned, signature[64], r, s)
        transaction_hash: str = self.rpc("eth_sendRawTransaction", "0x" + raw.hex())
        self.wait_for(transaction_hash)
        return transaction_hash

    def wait_for(self, transaction_hash: str) -> None:
        """Wait until it is mined: anvil answers before its block is there."""
        while self.rpc("eth_getTransactionReceipt", transaction_hash) is None:
            pass


def deploy(node: RunningNode, creation: bytes) -> str:
    """Create a contract as the test dollar's owner; return its address with its checksum."""
    from eth_account import Account  # noqa: PLC0415  only it signs what our own encoder refuses: a creation

    transaction = {
        "type": 2,
        "chainId": DEV_CHAIN_NUMBER,
        "nonce": node.nonce(Address(OWNER.address)),
        "maxPriorityFeePerGas": 10**9,
        "maxFeePerGas": 10**10,
        "gas": 1_000_000,
        "value": 0,
        "data": creation,
    }
    signed = Account.sign_transaction(transaction, OWNER.private_key)
    transaction_hash = node.rpc("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())
    node.wait_for(transaction_hash)
    created: str = node.rpc("eth_getTransactionReceipt", transaction_hash)["contractAddress"]
    return checksum_address(Address(created.lower()))


@contextmanager
def running_devnet() -> Iterator[RunningNode]:
    """Run the development chain on a free port."""
    command = [sys.executable, "-m", "mcp_wallet.devnet", "--token", "--until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield RunningNode("devnet", json.loads(process.stdout.readline())["url"])
        finally:
            process.stdin.close()


@contextmanager
def running_anvil(binary: Path) -> Iterator[RunningNode]:
    """Run anvil on a free port, with the test dollar where the registry expects it."""
    from mcp_wallet.devnet.token import creation_code, mint_call  # noqa: PLC0415  brings the whole tester along

    command = [str(binary), "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        listening = next(line for line in process.stdout if line.startswith("Listening on "))
        # It names every call on stdout, and would stop at a full pipe.
        reading = threading.Thread(target=deque, args=(process.stdout, 0))
        reading.start()
        try:
            node = RunningNode("anvil", "http://" + listening.split()[-1])
            creation = {"from": OWNER.address, "data": "0x" + creation_code().hex(), "gas": hex(5_000_000)}
            node.wait_for(node.rpc("eth_sendTransaction", creation))
            node.as_owner(mint_call(KEY.address, DEV_USDC_SUPPLY_UNITS))
            yield node
        finally:
            process.terminate()
            reading.join()
