"""The transaction pool, by geth's rules and in geth's words.

One transaction per sender and nonce; it is replaced only by one that pays at least a tenth more in both fees. What
has a gap before it waits, also for ever. What pays less than the base fee waits until that falls.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from eth.abc import SignedTransactionAPI

from mcp_wallet.devnet.wire import RpcError, hex_data

PRICE_BUMP_PERCENT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the newest block says of a sender."""

    nonce: int
    balance_wei: int


class Pool:
    """What was sent and is in no block yet."""

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: dict[tuple[bytes, int], SignedTransactionAPI] = {}

    def admit(self, tx: SignedTransactionAPI, account: Account) -> None:
        """Take the transaction, in place of one of the same nonce if it pays enough more.

        Raises:
            RpcError: already known, nonce too low, insufficient funds, or replacement underpriced.
        """
        key = (tx.sender, tx.nonce)
        old = self._waiting.get(key)
        if old is not None and old.hash == tx.hash:
            raise RpcError("already known")
        if tx.nonce < account.nonce:
            raise RpcError(f"nonce too low: next nonce {account.nonce}, tx nonce {tx.nonce}")
        self._check_funds(tx, account)
        if old is not None and not _pays_enough_more(tx, old):
            raise RpcError("replacement transaction underpriced")
        self._waiting[key] = tx

    def next_nonce(self, sender: bytes, latest: int) -> int:
        """Return the first nonce that neither a block nor the pool's unbroken run has used."""
        while (sender, latest) in self._waiting:
            latest += 1
        return latest

    def executable(self, nonce_of: Callable[[bytes], int], base_fee_wei: int) -> Sequence[SignedTransactionAPI]:
        """Return what can be mined now: each sender's unbroken run that pays the base fee, first senders first."""
        ready: list[SignedTransactionAPI] = []
        for sender in dict.fromkeys(sender for sender, _ in self._waiting):
            nonce = nonce_of(sender)
            while (tx := self._waiting.get((sender, nonce))) is not None and tx.max_fee_per_gas >= base_fee_wei:
                ready.append(tx)
                nonce += 1
        return ready

    def find(self, transaction_hash: bytes) -> SignedTransactionAPI | None:
        """Return the waiting transaction of this hash."""
        return next((tx for tx in self._waiting.values() if tx.hash == transaction_hash), None)

    def drop(self, tx: SignedTransactionAPI) -> None:
        """Forget a transaction, as real nodes do under pressure."""
        self._waiting.pop((tx.sender, tx.nonce), None)

    def copy(self) -> "Pool":
        """Return a pool with the same content that lives its own life."""
        other = Pool()
        other._waiting = dict(self._waiting)
        return other

    def _check_funds(self, tx: SignedTransactionAPI, account: Account) -> None:
        others_wei = sum(
            _cost_wei(other)
            for (sender, nonce), other in self._waiting.items()
            if sender == tx.sender and nonce != tx.nonce
        )
        missing_wei = others_wei + _cost_wei(tx) - account.balance_wei
        if missing_wei > 0:
            raise RpcError(
                f"insufficient funds for gas * price + value: address {hex_data(tx.sender)} "
                f"balance {account.balance_wei}, queued cost {others_wei}, tx cost {_cost_wei(tx)}, "
                f"overshot {missing_wei}"
            )


def _cost_wei(tx: SignedTransactionAPI) -> int:
    return tx.value + tx.gas * tx.max_fee_per_gas


def _pays_enough_more(tx: SignedTransactionAPI, old: SignedTransactionAPI) -> bool:
    return all(
        new > was and new * 100 >= was * (100 + PRICE_BUMP_PERCENT)
        for new, was in (
            (tx.max_fee_per_gas, old.max_fee_per_gas),
            (tx.max_priority_fee_per_gas, old.max_priority_fee_per_gas),
        )
    )
