"""Gate 3: did the chain do what was approved, and nothing else?

A receipt is evidence, not an order: whatever it shows beside the approved effect on the wallet's registered assets is
a mismatch, and a mismatch freezes. Tokens that are not registered and transfers of zero are ignored, for anybody can
make those appear.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.registry import Asset, Registry

TRANSFER_TOPIC: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""keccak-256 of `Transfer(address,address,uint256)` (ERC-20)."""

_TRANSFER_TOPICS: Final = 3
_WORD = re.compile(r"0x[0-9a-f]{64}")
_ADDRESS_WORD = re.compile(r"0x0{24}[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """One event of a contract; topics are 32-byte words and data any bytes, as lower-case hex with `0x`."""

    address: Address
    topics: tuple[str, ...]
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a node says became of a mined transaction.

    Args:
        transaction_hash: 32 bytes, lower-case hex with `0x`, as are `block_hash` and every log's words.
        status: 1 when it succeeded, 0 when it was reverted.
        to: Empty for a contract creation.
        effective_gas_price_wei: Price of one unit of gas.
        l1_fee_wei: What an OP-stack chain charges beside gas for its data; 0 elsewhere.
    """

    transaction_hash: str
    status: int
    block_number: int
    block_hash: str
    sender: str
    to: str
    gas_used: int
    effective_gas_price_wei: int
    logs: tuple[Log, ...]
    l1_fee_wei: int = 0

    @property
    def fee_wei(self) -> int:
        """What the wallet paid for it, in wei, whether it succeeded or not."""
        return self.gas_used * self.effective_gas_price_wei + self.l1_fee_wei


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Gate 3's answer; `observed` says in words what the chain shows."""

    outcome: Literal["confirmed", "reverted", "mismatch"]
    observed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Movement:
    """A transfer of a registered token; one that cannot be read has empty parties."""

    token: Address
    sender: str
    to: str
    units: int

    def __str__(self) -> str:
        if not self.sender:
            return f"an unreadable transfer of {self.token}"
        return f"{self.units} units of {self.token} from {self.sender} to {self.to}"


def check_settlement(
    *, intent: PaymentIntent, asset: Asset, transaction_hash: str, receipt: Receipt, registry: Registry
) -> Settlement:
    """Return whether the receipt shows the intent's effect on the wallet's registered assets and no other.

    (1) The receipt is of our transaction, sent by the wallet to the token, or to the recipient of a native payment.
    (2) Status 0 is a revert: nothing moved, the fee is spent. Any status but 0 and 1 is a mismatch.
    (3) Of all movements of registered tokens from or to the wallet, there is exactly the approved one; for the native
        coin none at all (its amount is in the signed bytes, which Gate 2 has read).

    Args:
        intent: The approved intent.
        asset: The intent's asset, by the registry.
        transaction_hash: Of our signed bytes, computed locally.
        receipt: As a node gave it, already validated in shape.
        registry: Says which tokens are registered on the chain.
    """
    if problem := _not_ours(intent=intent, asset=asset, transaction_hash=transaction_hash, receipt=receipt):  # (1)
        return Settlement(outcome="mismatch", observed=problem)
    if receipt.status == 0:  # (2)
        return Settlement(outcome="reverted", observed="the transaction was reverted; nothing but the fee was spent")
    if receipt.status != 1:
        return Settlement(outcome="mismatch", observed=f"the receipt has status {receipt.status}")
    moved = tuple(_movements(receipt, wallet=intent.sender, chain=asset.chain, registry=registry))  # (3)
    if moved == _approved_movements(intent, asset):
        return Settlement(outcome="confirmed", observed="exactly the approved payment")
    return Settlement(outcome="mismatch", observed="; ".join(map(str, moved)) or "no transfer of the approved asset")


def _not_ours(*, intent: PaymentIntent, asset: Asset, transaction_hash: str, receipt: Receipt) -> str:
    if receipt.transaction_hash != transaction_hash:
        return f"the receipt is of another transaction, {receipt.transaction_hash}"
    if receipt.sender != intent.sender:
        return f"the transaction was sent by {receipt.sender}"
    if receipt.to != (asset.token or intent.to):
        return f"the transaction went to {receipt.to or 'a new contract'}"
    return ""


def _approved_movements(intent: PaymentIntent, asset: Asset) -> tuple[_Movement, ...]:
    if asset.token is None:
        return ()
    return (_Movement(token=asset.token, sender=intent.sender, to=intent.to, units=intent.amount_units),)


def _movements(receipt: Receipt, *, wallet: str, chain: ChainId, registry: Registry) -> Iterator[_Movement]:
    """Yield the wallet's movements of registered tokens, in the order of the logs."""
    for log in receipt.logs:
        if log.topics[:1] != (TRANSFER_TOPIC,) or registry.token(chain, log.address) is None:
            continue
        movement = _parse_movement(log)
        if not movement.sender or (movement.units and wallet in (movement.sender, movement.to)):
            yield movement


def _parse_movement(log: Log) -> _Movement:
    """Return the movement; one without parties when a registered token logs a transfer of another shape."""
    readable = (
        len(log.topics) == _TRANSFER_TOPICS
        and all(_ADDRESS_WORD.fullmatch(topic) for topic in log.topics[1:])
        and _WORD.fullmatch(log.data) is not None
    )
    if not readable:
        return _Movement(token=log.address, sender="", to="", units=0)
    return _Movement(
        token=log.address, sender="0x" + log.topics[1][26:], to="0x" + log.topics[2][26:], units=int(log.data, 16)
    )
