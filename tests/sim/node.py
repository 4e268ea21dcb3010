"""A node of the simulated chain, asked through the real adapter: it is slow, deaf, behind, or it lies."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from random import Random
from typing import Any

from mcp_wallet.adapters.evm.node import Node
from mcp_wallet.core.registry import Chain
from tests.sim.chain import FINAL_DEPTH, GWEI, RICH_UNITS, Block, SimChain

Json = Any
YES = "0x" + "1".rjust(64, "0")


class Lie(StrEnum):
    """What a lying node says otherwise."""

    NONE = "none"
    HIDE = "hide"  # there is no such transaction, and the account never sent one
    REVERTED = "reverted"  # it was reverted long ago
    PAID = "paid"  # it is in a block, whatever it is
    NONCE = "nonce"  # the account has sent many more
    HASH = "hash"  # it took other bytes than were sent
    CHAIN = "chain"  # this is another chain
    TIME = "time"  # the newest block is of tomorrow


@dataclass
class Mood:
    """How a node is at the moment.

    Args:
        lag: Blocks that it is behind.
        deaf: Whether nothing reaches it.
        lost: Of a thousand questions, how many never arrive.
        unanswered: Of a thousand questions, how many are answered to nobody.
    """

    lag: int = 0
    deaf: bool = False
    lost: int = 0
    unanswered: int = 0
    lie: Lie = Lie.NONE
    patience_ms: int = 30

    def heal(self) -> None:
        """Be well and honest."""
        self.lag = self.lost = self.unanswered = 0
        self.deaf, self.lie = False, Lie.NONE


class SimNode(Node):
    """One configured node as one server meets it; its mood is shared by all servers.

    Args:
        point: Awaited before and after each question: the asking server may die there.
    """

    def __init__(
        self, chain: Chain, sim: SimChain, mood: Mood, random: Random, point: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__("sim://", chain)
        self._sim, self._mood, self._random, self._point = sim, mood, random, point

    async def warm(self) -> None:
        """Need nothing."""

    async def close(self) -> None:
        """Hold nothing."""

    async def _request(self, method: str, params: Sequence[object]) -> dict[str, object]:
        await self._point()
        await asyncio.sleep(self._random.randrange(1, self._mood.patience_ms) / 1000)
        if self._mood.deaf or self._random.randrange(1000) < self._mood.lost:
            raise self.unavailable("could not be reached for", method)
        reply = self._answer(method, params)
        await self._point()
        if self._random.randrange(1000) < self._mood.unanswered:
            raise self.unavailable("could not be reached for", method)
        return reply

    def _answer(self, method: str, params: Sequence[Any]) -> dict[str, object]:
        answers: dict[str, Callable[[Sequence[Any]], Json]] = {
            "eth_chainId": lambda _: hex(1 if self._mood.lie is Lie.CHAIN else self._chain.number),
            "eth_getBlockByNumber": lambda p: self._block(p[0]),
            "eth_feeHistory": lambda _: {"baseFeePerGas": [hex(self._sim.base_fee_wei)] * 2, "reward": [[hex(GWEI)]]},
            "eth_getTransactionCount": lambda p: hex(self._nonce(p[0], p[1])),
            "eth_getBalance": lambda _: hex(10**21),
            "eth_getCode": lambda _: "0x",
            "eth_call": lambda p: YES if p[0]["data"].startswith("0xa9059cbb") else f"0x{RICH_UNITS:064x}",
            "eth_estimateGas": lambda _: hex(50_000),
            "eth_getLogs": lambda p: self._sim.logs(_number(p[0]["fromBlock"]), _number(p[0]["toBlock"])),
            "eth_getTransactionReceipt": lambda p: self._receipt(p[0]),
        }
        if method == "eth_sendRawTransaction":
            return self._take(bytes.fromhex(params[0][2:]))
        return {"result": answers[method](params)}

    @property
    def _height(self) -> int:
        return max(0, self._sim.newest.number - self._mood.lag)

    def _take(self, raw: bytes) -> dict[str, object]:
        refusal = self._sim.take(raw)
        if refusal:
            return {"error": {"code": -32000, "message": refusal}}
        answer = raw + b"otherwise" if self._mood.lie is Lie.HASH else raw
        return {"result": "0x" + sha256(answer).hexdigest()}

    def _find(self, tag: str) -> Block | None:
        number = {"latest": self._height, "finalized": max(0, self._height - FINAL_DEPTH)}.get(tag)
        number = _number(tag) if number is None else number
        return self._sim.blocks[number] if number <= self._height else None

    def _block(self, tag: str) -> Json:
        found = self._find(tag)
        if found is None:
            return None
        seconds = found.seconds + (86_400 if self._mood.lie is Lie.TIME else 0)
        return {"number": hex(found.number), "hash": found.hash, "timestamp": hex(seconds)}

    def _nonce(self, account: str, tag: str) -> int:
        if account != self._sim.account:
            return 0
        found = self._find(tag)
        true = found.nonce if found else 0
        return {Lie.HIDE: 0, Lie.NONCE: true + 7}.get(self._mood.lie, true)

    def _receipt(self, transaction_hash: str) -> Json:
        if self._mood.lie is Lie.HIDE:
            return None
        found = self._sim.receipt(transaction_hash, height=self._height)
        if self._mood.lie is Lie.PAID:
            return found or self._sim.invented(transaction_hash)
        if self._mood.lie is not Lie.REVERTED:
            return found
        block = self._sim.blocks[max(0, self._height - FINAL_DEPTH - 1)]
        return {
            "transactionHash": transaction_hash,
            "status": "0x0",
            "blockNumber": hex(block.number),
            "blockHash": block.hash,
            "from": self._sim.account,
            "to": self._sim.token,
            "gasUsed": "0x5208",
            "effectiveGasPrice": hex(GWEI),
            "logs": [],
        }


def _number(quantity: str) -> int:
    return int(quantity, 16)
