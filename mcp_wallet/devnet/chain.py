"""Blocks and state on py-evm, with Prague's rules: what was mined, kept at hand, and what a call would do.

A block's time is the clock's, or its parent's when both fall into one second, so that fast tests do not run ahead of
the clock. Blocks are made here alone, so they are not validated a second time.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from eth.abc import BlockAPI, BlockHeaderAPI, ComputationAPI, ReceiptAPI, SignedTransactionAPI
from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.exceptions import Revert
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_utils.exceptions import ValidationError

from mcp_wallet.devnet.wire import Call, RpcError, revert_error

GAS_LIMIT: Final = 30_000_000
PLAIN_TRANSFER_GAS: Final = 21_000
ESTIMATE_TOLERANCE_PERMILLE: Final = 15
"""As geth: the search for the smallest sufficient gas stops within 1.5 %."""
_CALL_STIPEND: Final = 2_300


class State(Protocol):
    """Of py-evm's state, what is read here: by addresses of 20 bytes."""

    def get_nonce(self, address: bytes) -> int:
        """Return how many transactions the account has sent."""

    def get_balance(self, address: bytes) -> int:
        """Return its native coin in wei."""

    def get_code(self, address: bytes) -> bytes:
        """Return its code, empty for a plain account."""

    def get_storage(self, address: bytes, slot: int) -> int:
        """Return one word of its storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mined:
    """A block and what its transactions did."""

    block: BlockAPI
    receipts: tuple[ReceiptAPI, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    """What a call did: `error` is None when it passed."""

    output: bytes
    gas_used: int
    gas_consumed: int
    error: RpcError | None


class DevChain:
    """A chain from its genesis on.

    Args:
        chain_number: EIP-155 number.
        balances_wei: Accounts funded in the genesis block.
        clock: Unix time in seconds.
    """

    def __init__(
        self, *, chain_number: int, balances_wei: Mapping[bytes, int], clock: Callable[[], float] = time.time
    ) -> None:
        """Make the genesis block."""
        self.chain_number = chain_number
        self._clock = clock
        genesis = {
            "difficulty": 0,
            "gas_limit": GAS_LIMIT,
            "nonce": bytes(8),
            "timestamp": int(clock()),
            "coinbase": bytes(20),
            "mix_hash": bytes(32),
            "extra_data": b"",
        }
        state = {
            address: {"balance": balance_wei, "nonce": 0, "code": b"", "storage": {}}
            for address, balance_wei in balances_wei.items()
        }
        make: Any = _chain_class(chain_number).from_genesis
        self._evm: Any = make(AtomicDB(), genesis, state)
        first: BlockAPI = self._evm.get_canonical_block_by_number(0)
        self._mined = [Mined(block=first, receipts=())]
        self._numbers: dict[bytes, int] = {first.hash: 0}
        self._places: dict[bytes, tuple[int, int]] = {}

    # ------------------------------------------------------------------------------------------------------ blocks

    @property
    def newest(self) -> int:
        """Number of the newest block."""
        return len(self._mined) - 1

    @property
    def next_base_fee_wei(self) -> int:
        """Base fee of the block to come."""
        fee_wei: int = self._evm.header.base_fee_per_gas
        return fee_wei

    def mined(self, number: int) -> Mined:
        """Return the block of an existing number."""
        return self._mined[number]

    def number_of(self, block_hash: bytes) -> int | None:
        """Return the number of a block that stands."""
        return self._numbers.get(block_hash)

    def place_of(self, transaction_hash: bytes) -> tuple[Mined, int] | None:
        """Return block and index of a mined transaction."""
        place = self._places.get(transaction_hash)
        return None if place is None else (self._mined[place[0]], place[1])

    def decode(self, raw: bytes) -> SignedTransactionAPI:
        """Return the transaction of signed bytes; py-evm raises what it likes when they are none."""
        tx: SignedTransactionAPI = self.builder().decode(raw)
        return tx

    def builder(self) -> Any:
        """Return py-evm's maker of transactions."""
        return PragueVM.get_transaction_builder()

    def mine(self, candidates: Sequence[SignedTransactionAPI]) -> Sequence[SignedTransactionAPI]:
        """Make one block of the candidates, in this order, and return those that can never be in one.

        What no longer fits into the block is left out, and so is all that follows it.
        """
        parent = self._mined[-1].block.header
        self._evm.set_header_timestamp(max(parent.timestamp, int(self._clock())))
        receipts: list[ReceiptAPI] = []
        refused: list[SignedTransactionAPI] = []
        for tx in candidates:
            if tx.gas > GAS_LIMIT - self._evm.header.gas_used:
                break
            try:
                receipts.append(self._evm.apply_transaction(tx)[1])
            except ValidationError:
                refused.append(tx)
        block = self._evm.mine_block(mix_hash=os.urandom(32))
        self._numbers[block.hash] = block.number
        self._places |= {tx.hash: (block.number, index) for index, tx in enumerate(block.transactions)}
        self._mined.append(Mined(block=block, receipts=tuple(receipts)))
        return refused

    def rewind(self, number: int) -> None:
        """Forget all blocks after this one."""
        for gone in self._mined[number + 1 :]:
            del self._numbers[gone.block.hash]
            for tx in gone.block.transactions:
                self._places.pop(tx.hash, None)
        del self._mined[number + 1 :]
        self._evm.header = self._evm.create_header_from_parent(self._mined[-1].block.header)

    # ------------------------------------------------------------------------------------------------------- state

    def state(self, number: int) -> State:
        """Return the state after a block; what is done to it is never kept."""
        state: State = self._evm.get_vm(self._mined[number].block.header).state
        return state

    def call(self, call: Call, number: int) -> bytes:
        """Return what the call would return after this block.

        Raises:
            RpcError: it would fail; code 3 with the data when it reverts.
        """
        ran = self._run(call, number, gas=min(call.gas or GAS_LIMIT, GAS_LIMIT))
        if ran.error is not None:
            raise ran.error
        return ran.output

    def estimate_gas(self, call: Call, number: int) -> int:
        """Return gas that suffices for the call, at most 1.5 % above the smallest such number.

        (1) It must pass with all the gas it may have. (2) What it used then mostly suffices. (3) Where refunds or
        inner calls keep it from that, the number is found by halving.
        """
        if (
            call.to
            and not call.data
            and not self.state(number).get_code(call.to)
            and _is_affordable(self, call, number)
        ):
            return PLAIN_TRANSFER_GAS
        high = min(call.gas or GAS_LIMIT, GAS_LIMIT)
        ran = self._run(call, number, gas=high)  # (1)
        if ran.error is not None:
            raise ran.error
        low = ran.gas_used - 1
        for guess in (ran.gas_used, (ran.gas_consumed + _CALL_STIPEND) * 64 // 63):  # (2)
            if guess >= high:
                break
            if self._run(call, number, gas=guess).error is None:
                high = guess
                break
            low = guess
        while high - low > 1 and (high - low) * 1000 > high * ESTIMATE_TOLERANCE_PERMILLE:  # (3)
            middle = (high + low) // 2
            fails = self._run(call, number, gas=middle).error is not None
            low, high = (middle, high) if fails else (low, middle)
        return high

    def _run(self, call: Call, number: int, *, gas: int) -> _Ran:
        header: Any = self._mined[number].block.header
        if call.max_fee_wei is None:  # as geth: a call that names no fee is free, so the base fee is lifted too
            header = header.copy(base_fee_per_gas=0)
        vm = self._evm.get_vm(header)
        tx = self._spoof(call, vm.state, gas=gas)
        if gas < tx.intrinsic_gas:
            raise RpcError(f"intrinsic gas too low: have {gas}, want {tx.intrinsic_gas} (supplied gas {gas})")
        try:
            done: ComputationAPI = vm.state.apply_transaction(tx)
        except ValidationError as problem:
            raise RpcError(f"err: {_refusal(problem)} (supplied gas {gas})") from problem
        consumed = gas - done.get_gas_remaining()
        return _Ran(
            output=done.output,
            gas_used=vm.finalize_gas_used(tx, done),
            gas_consumed=consumed,
            error=_error_of(done),
        )

    def _spoof(self, call: Call, state: State, *, gas: int) -> Any:
        unsigned = self.builder().new_unsigned_dynamic_fee_transaction(
            chain_id=self.chain_number,
            nonce=state.get_nonce(call.sender),
            max_priority_fee_per_gas=min(call.priority_fee_wei, call.max_fee_wei or 0),
            max_fee_per_gas=call.max_fee_wei or 0,
            gas=gas,
            to=call.to,
            value=call.value_wei,
            data=call.data,
            access_list=(),
        )
        return SpoofTransaction(unsigned, from_=call.sender)


def _is_affordable(chain: DevChain, call: Call, number: int) -> bool:
    needed_wei = call.value_wei + PLAIN_TRANSFER_GAS * (call.max_fee_wei or 0)
    return chain.state(number).get_balance(call.sender) >= needed_wei and (call.gas or GAS_LIMIT) >= PLAIN_TRANSFER_GAS


def _error_of(done: ComputationAPI) -> RpcError | None:
    if not done.is_error:
        return None
    if isinstance(done.error, Revert):
        return revert_error(done.output)
    return RpcError(str(done.error) or type(done.error).__name__)


def _refusal(problem: ValidationError) -> str:
    text = str(problem)
    return "insufficient funds for gas * price + value" if "afford" in text or "balance" in text else text


class _TrustingVM(PragueVM):
    """Prague for blocks that were made a line before, so that two of them may share a second."""

    def validate_block(self, block: BlockAPI) -> None:
        """Accept."""


def _chain_class(chain_number: int) -> type[MiningChain]:
    class PragueChain(MiningChain):
        """Prague from the first block on, without gas limit drift and without proof of anything."""

        chain_id = chain_number
        vm_configuration: Any = ((0, _TrustingVM),)

        def create_header_from_parent(self, parent_header: BlockHeaderAPI, **fields: Any) -> BlockHeaderAPI:
            fields["gas_limit"] = parent_header.gas_limit
            return super().create_header_from_parent(parent_header, **fields)

        def validate_block(self, block: BlockAPI) -> None:
            """Accept."""

    return PragueChain
