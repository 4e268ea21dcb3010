"""A small chain: one token, accounts' nonces, a pool, blocks, and reorganisations that take blocks away again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.settlement_gate import TRANSFER_TOPIC
from mcp_wallet.core.transaction import SignedTransaction, decode_signed, decode_transfer

GWEI = 10**9
GAS_USED = 50_000
BASE_FEE_WEI = GWEI
FINAL_DEPTH = 12
"""Blocks under the newest one that no reorganisation takes away."""
RICH_UNITS = 10**15


@dataclass(frozen=True)
class Transfer:
    """Money that moved: who got how much by which transaction."""

    hash: str
    to: str
    units: int


@dataclass(frozen=True)
class Mined:
    """A transaction in a block."""

    transaction: SignedTransaction
    status: int


@dataclass(frozen=True)
class Block:
    """One block with what it changed so far: `nonce` is the account's after it."""

    number: int
    hash: str
    seconds: int
    mined: tuple[Mined, ...]
    nonce: int
    base_fee_wei: int


@dataclass
class SimChain:
    """The chain as it is; nodes may see less of it, or say otherwise.

    Args:
        start_seconds: Unix time of the first block.
        reverts: How often a transaction is reverted, of a thousand.
    """

    random: Random
    account: Address
    token: Address
    start_seconds: int
    reverts: int = 0
    base_fee_wei: int = BASE_FEE_WEI
    blocks: list[Block] = field(default_factory=list)
    pool: dict[str, SignedTransaction] = field(default_factory=dict)
    _where: dict[str, int] = field(default_factory=dict)
    _made: int = 0

    def __post_init__(self) -> None:
        self._add((), self.start_seconds)

    @property
    def newest(self) -> Block:
        return self.blocks[-1]

    @property
    def transfers(self) -> list[Transfer]:
        """What has moved on the chain as it stands."""
        found = []
        for block in self.blocks:
            for mined in block.mined:
                if mined.status == 1 and mined.transaction.unsigned.data:
                    to, units = decode_transfer(mined.transaction.unsigned.data)
                    found.append(Transfer(mined.transaction.hash, to, units))
        return found

    def take(self, raw: bytes) -> str:
        """Put bytes into the pool; return a node's refusal, or empty text."""
        transaction = decode_signed(raw)
        if transaction.hash in self.pool or transaction.hash in self._where:
            return "already known"
        if transaction.unsigned.nonce < self.newest.nonce:
            return "nonce too low"
        rival = self._of_nonce(transaction.unsigned.nonce)
        if rival is not None:
            if transaction.unsigned.max_fee_wei * 10 < rival.unsigned.max_fee_wei * 11:
                return "replacement transaction underpriced"
            del self.pool[rival.hash]
        self.pool[transaction.hash] = transaction
        return ""

    def mine(self, seconds: int) -> None:
        """Add a block with what the pool has in the order of its nonces, as far as it pays the base fee."""
        nonce, mined = self.newest.nonce, list[Mined]()
        while (found := self._of_nonce(nonce)) is not None and found.unsigned.max_fee_wei >= self.base_fee_wei:
            del self.pool[found.hash]
            mined.append(Mined(found, 0 if self.random.randrange(1000) < self.reverts else 1))
            nonce += 1
        self._add(tuple(mined), seconds)
        self.pool = {h: t for h, t in self.pool.items() if t.unsigned.nonce >= nonce}

    def reorganise(self, depth: int, *, forget: bool) -> None:
        """Take the newest blocks away; their transactions return to the pool, or are forgotten by everybody."""
        depth = min(depth, len(self.blocks) - 1, FINAL_DEPTH - 1)
        gone = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        if not forget:
            self.pool |= {m.transaction.hash: m.transaction for block in gone for m in block.mined}
        for block in gone:
            for mined in block.mined:
                del self._where[mined.transaction.hash]
        for block in gone:
            self._add((), block.seconds)

    def receipt(self, transaction_hash: str, *, height: int) -> Mapping[str, object] | None:
        """Return a mined transaction's receipt as JSON-RPC has it, as far as a node of this height knows."""
        number = self._where.get(transaction_hash)
        if number is None or number > height:
            return None
        block = self.blocks[number]
        return self._receipt(block, next(m for m in block.mined if m.transaction.hash == transaction_hash))

    def logs(self, first: int, last: int) -> list[Mapping[str, object]]:
        """Return the transfers of these blocks as JSON-RPC has them."""
        receipts = [self._receipt(block, mined) for block in self.blocks[first : last + 1] for mined in block.mined]
        return [
            {**log, "transactionHash": receipt["transactionHash"]}
            for receipt in receipts
            for log in receipt["logs"]  # type: ignore[attr-defined]
        ]

    def invented(self, transaction_hash: str) -> Mapping[str, object] | None:
        """Return the receipt that a waiting transaction would have if it had been mined a few blocks ago."""
        waiting = self.pool.get(transaction_hash)
        return None if waiting is None else self._receipt(self.blocks[max(0, len(self.blocks) - 5)], Mined(waiting, 1))

    def _receipt(self, block: Block, mined: Mined) -> Mapping[str, object]:
        unsigned = mined.transaction.unsigned
        logs = []
        if mined.status == 1 and unsigned.data:
            to, units = decode_transfer(unsigned.data)
            topics = [TRANSFER_TOPIC, _word(mined.transaction.sender), _word(to)]
            logs.append({"address": unsigned.to, "topics": topics, "data": f"0x{units:064x}"})
        return {
            "transactionHash": mined.transaction.hash,
            "status": hex(mined.status),
            "blockNumber": hex(block.number),
            "blockHash": block.hash,
            "from": mined.transaction.sender,
            "to": unsigned.to,
            "gasUsed": hex(GAS_USED),
            "effectiveGasPrice": hex(min(unsigned.max_fee_wei, block.base_fee_wei + unsigned.priority_fee_wei)),
            "logs": logs,
        }

    def _of_nonce(self, nonce: int) -> SignedTransaction | None:
        return next((t for t in self.pool.values() if t.unsigned.nonce == nonce), None)

    def _add(self, mined: tuple[Mined, ...], seconds: int) -> None:
        number = len(self.blocks)
        nonce = (self.blocks[-1].nonce if self.blocks else 0) + len(mined)
        self._made += 1
        self._where |= {m.transaction.hash: number for m in mined}
        digest = "0x" + sha256(f"{number} {self._made}".encode()).hexdigest()
        self.blocks.append(Block(number, digest, seconds, mined, nonce, self.base_fee_wei))


def _word(address: str) -> str:
    return "0x" + address[2:].rjust(64, "0")
