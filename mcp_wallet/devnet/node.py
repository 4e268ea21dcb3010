"""The node: JSON-RPC methods by name over one chain and one pool. One request at a time, no request can end it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth.abc import SignedTransactionAPI

from mcp_wallet.devnet import DEV_ACCOUNTS, DEV_CHAIN_NUMBER
from mcp_wallet.devnet.chain import GAS_LIMIT, DevChain, State
from mcp_wallet.devnet.fees import GWEI, fee_history
from mcp_wallet.devnet.pool import Account, Pool
from mcp_wallet.devnet.wire import (
    BLOCK_TAGS,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Json,
    RpcError,
    block_json,
    hex_data,
    parse_address,
    parse_bytes,
    parse_call,
    parse_quantity,
    receipt_json,
    transaction_json,
    type_of,
)

DEV_BALANCE_WEI: Final = 10_000 * 10**18
MINE_BLOCKS_MAX: Final = 1_000
BLOB_TYPE: Final = 3

Params = Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    newest: int
    pool: Pool


class DevNode:
    """A development node.

    Args:
        automine: Make a block as soon as a transaction can be in one; else only on `evm_mine`.
    """

    def __init__(self, *, automine: bool = True) -> None:
        """Start at genesis with ten funded accounts."""
        balances_wei = {bytes.fromhex(account.address[2:]): DEV_BALANCE_WEI for account in DEV_ACCOUNTS}
        self.chain = DevChain(chain_number=DEV_CHAIN_NUMBER, balances_wei=balances_wei)
        self.pool = Pool()
        self.automine = automine
        self._snapshots: dict[int, _Snapshot] = {}
        self._snapshots_taken = 0
        self._methods: Mapping[str, Callable[[Params], Json]] = {
            "web3_clientVersion": lambda _: "mcp-wallet/devnet",
            "net_version": lambda _: str(DEV_CHAIN_NUMBER),
            "net_listening": lambda _: True,
            "eth_syncing": lambda _: False,
            "eth_chainId": lambda _: hex(DEV_CHAIN_NUMBER),
            "eth_accounts": lambda _: [account.address for account in DEV_ACCOUNTS],
            "eth_blockNumber": lambda _: hex(self.chain.newest),
            "eth_gasPrice": lambda _: hex(self.chain.next_base_fee_wei + GWEI),
            "eth_maxPriorityFeePerGas": lambda _: hex(GWEI),
            "eth_feeHistory": self._fee_history,
            "eth_getBalance": lambda p: hex(self._state(p, 1).get_balance(parse_address(_at(p, 0)))),
            "eth_getCode": lambda p: hex_data(self._state(p, 1).get_code(parse_address(_at(p, 0)))),
            "eth_getStorageAt": self._storage,
            "eth_getTransactionCount": self._transaction_count,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getTransactionByHash": self._transaction_by_hash,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": self._logs,
            "eth_call": lambda p: hex_data(self.chain.call(parse_call(_at(p, 0)), self._number(p, 1))),
            "eth_estimateGas": lambda p: hex(self.chain.estimate_gas(parse_call(_at(p, 0)), self._number(p, 1))),
            "eth_sendRawTransaction": lambda p: self.send(parse_bytes(_at(p, 0), "transaction")),
            "evm_mine": self._mine,
            "evm_setAutomine": self._set_automine,
            "evm_snapshot": self._snapshot,
            "evm_revert": self._revert,
            "test_drop": self._drop,
            "anvil_dropTransaction": lambda p: _at(p, 0) if self._drop(p) else None,
        }

    def call(self, method: str, params: Params) -> Json:
        """Return the result of a method.

        Raises:
            RpcError: the method says no, does not exist, or failed on something that nobody foresaw.
        """
        handler = self._methods.get(method)
        if handler is None:
            raise RpcError(f"the method {method} does not exist/is not available", METHOD_NOT_FOUND)
        try:
            return handler(params)
        except RpcError:
            raise
        except Exception as problem:  # the node's outermost line: it must outlive whatever py-evm raises
            raise RpcError(f"internal error: {type(problem).__name__}", INTERNAL_ERROR) from problem

    # ------------------------------------------------------------------------------------------------------ sending

    def send(self, raw: bytes) -> str:
        """Take signed bytes into the pool, mine if that is automatic, and return their hash."""
        tx = self._decode(raw)
        state = self.chain.state(self.chain.newest)
        self.pool.admit(tx, Account(nonce=state.get_nonce(tx.sender), balance_wei=state.get_balance(tx.sender)))
        if self.automine:
            self.mine_ready()
        return hex_data(tx.hash)

    def mine_ready(self) -> None:
        """Make blocks until nothing in the pool can be mined; none when nothing can."""
        while self._executable():
            self.mine()

    def mine(self) -> None:
        """Make one block of what can be mined now, an empty one if that is nothing."""
        candidates = self._executable()
        refused = self.chain.mine(candidates)
        for tx in (*refused, *self.chain.mined(self.chain.newest).block.transactions):
            self.pool.drop(tx)

    def _executable(self) -> Sequence[SignedTransactionAPI]:
        state = self.chain.state(self.chain.newest)
        return self.pool.executable(state.get_nonce, self.chain.next_base_fee_wei)

    def _decode(self, raw: bytes) -> SignedTransactionAPI:
        try:
            tx = self.chain.decode(raw)
            tx.validate()
            tx.check_signature_validity()
            is_ours = tx.chain_id == DEV_CHAIN_NUMBER
            _ = tx.sender
        except Exception as problem:  # py-evm and rlp raise many kinds for bytes that are no transaction
            raise RpcError("rlp: the bytes are not a valid signed transaction") from problem
        if tx.chain_id is None:
            raise RpcError("only replay-protected (EIP-155) transactions allowed over RPC")
        if not is_ours:
            raise RpcError(f"invalid sender: invalid chain id for signer: have {tx.chain_id} want {DEV_CHAIN_NUMBER}")
        _check_form(tx)
        return tx

    # ------------------------------------------------------------------------------------------------------ reading

    def _number(self, params: Params, index: int) -> int:
        """Return the number of the block that a parameter names; the newest when it names none (EIP-1898 too)."""
        number = self._find_number(params[index] if len(params) > index else "latest")
        if number is None:
            raise RpcError("header not found")
        return number

    def _find_number(self, which: object) -> int | None:
        if which is None or (isinstance(which, str) and which in BLOCK_TAGS):
            return self.chain.newest
        if which == "earliest":
            return 0
        if isinstance(which, dict):
            if "blockHash" in which:
                return self.chain.number_of(parse_bytes(which["blockHash"], "block hash", length=32))
            which = which.get("blockNumber")
        number = parse_quantity(which, "block number")
        return number if number <= self.chain.newest else None

    def _state(self, params: Params, index: int) -> State:
        return self.chain.state(self._number(params, index))

    def _transaction_count(self, params: Params) -> Json:
        address = parse_address(_at(params, 0))
        nonce: int = self._state(params, 1).get_nonce(address)
        is_pending = len(params) > 1 and params[1] == "pending"
        return hex(self.pool.next_nonce(address, nonce) if is_pending else nonce)

    def _storage(self, params: Params) -> Json:
        slot = parse_quantity(_slot(_at(params, 1)), "slot")
        word: int = self._state(params, 2).get_storage(parse_address(_at(params, 0)), slot)
        return hex_data(word.to_bytes(32, "big"))

    def _fee_history(self, params: Params) -> Json:
        percentiles = params[2] if len(params) > 2 else None  # noqa: PLR2004  the third of three
        return fee_history(
            self.chain,
            count=parse_quantity(_at(params, 0), "block count"),
            newest=self._number(params, 1),
            percentiles=percentiles,
        )

    def _block_by_number(self, params: Params) -> Json:
        return self._block(self._find_number(_at(params, 0)), params)

    def _block_by_hash(self, params: Params) -> Json:
        return self._block(self.chain.number_of(parse_bytes(_at(params, 0), "block hash", length=32)), params)

    def _block(self, number: int | None, params: Params) -> Json:
        if number is None:
            return None
        return block_json(self.chain.mined(number).block, full=len(params) > 1 and params[1] is True)

    def _transaction_by_hash(self, params: Params) -> Json:
        wanted = parse_bytes(_at(params, 0), "hash", length=32)
        place = self.chain.place_of(wanted)
        if place is not None:
            mined, index = place
            return transaction_json(mined.block.transactions[index], mined.block, index)
        waiting = self.pool.find(wanted)
        return None if waiting is None else transaction_json(waiting)

    def _receipt(self, params: Params) -> Json:
        place = self.chain.place_of(parse_bytes(_at(params, 0), "hash", length=32))
        if place is None:
            return None
        mined, index = place
        return self._receipts(mined.block.number)[index]

    def _receipts(self, number: int) -> list[dict[str, Json]]:
        mined = self.chain.mined(number)
        rows: list[dict[str, Json]] = []
        gas = logs = 0
        for index, (tx, receipt) in enumerate(zip(mined.block.transactions, mined.receipts, strict=True)):
            rows.append(receipt_json(tx, receipt, block=mined.block, index=index, gas_before=gas, logs_before=logs))
            gas, logs = receipt.gas_used, logs + len(receipt.logs)
        return rows

    def _logs(self, params: Params) -> Json:
        wanted = _at(params, 0)
        if not isinstance(wanted, dict):
            raise RpcError("invalid argument: the filter is not an object", INVALID_PARAMS)
        first, last = self._range(wanted)
        found: list[Json] = [
            log
            for number in range(first, last + 1)
            if self.chain.mined(number).block.header.bloom
            for row in self._receipts(number)
            for log in _rows(row["logs"])
            if _matches(log, wanted.get("address"), wanted.get("topics"))
        ]
        return found

    def _range(self, wanted: Mapping[str, object]) -> tuple[int, int]:
        """Return first and last block of a log filter; an end beyond the newest block means that one."""
        if "blockHash" in wanted:
            number = self._number([{"blockHash": wanted["blockHash"]}], 0)
            return number, number
        last = self._find_number(wanted.get("toBlock"))
        return self._number([wanted.get("fromBlock")], 0), self.chain.newest if last is None else last

    # ------------------------------------------------------------------------------------------------- for testers

    def _mine(self, params: Params) -> Json:
        options = params[0] if params else {}
        blocks = parse_quantity(options.get("blocks", 1), "blocks") if isinstance(options, dict) else 1
        for _ in range(min(blocks, MINE_BLOCKS_MAX)):
            self.mine()
        return "0x0"

    def _set_automine(self, params: Params) -> Json:
        self.automine = bool(_at(params, 0))
        if self.automine:
            self.mine_ready()
        return None

    def _snapshot(self, _: Params) -> Json:
        self._snapshots_taken += 1
        self._snapshots[self._snapshots_taken] = _Snapshot(newest=self.chain.newest, pool=self.pool.copy())
        return hex(self._snapshots_taken)

    def _revert(self, params: Params) -> Json:
        wanted = parse_quantity(_at(params, 0), "snapshot")
        snapshot = self._snapshots.get(wanted)
        if snapshot is None:
            return False
        self._snapshots = {number: kept for number, kept in self._snapshots.items() if number < wanted}
        self.chain.rewind(snapshot.newest)
        self.pool = snapshot.pool
        return True

    def _drop(self, params: Params) -> Json:
        waiting = self.pool.find(parse_bytes(_at(params, 0), "hash", length=32))
        if waiting is None:
            return False
        self.pool.drop(waiting)
        return True


def _at(params: Params, index: int) -> Any:
    if index >= len(params):
        raise RpcError(f"missing value for required argument {index}", INVALID_PARAMS)
    return params[index]


def _slot(value: object) -> object:
    """Return the slot as a quantity: clients send it as 32 bytes, too."""
    return hex(int(value, 16)) if isinstance(value, str) and value.startswith("0x0") else value


def _check_form(tx: SignedTransactionAPI) -> None:
    """Refuse what no block could hold, whatever the state is; words and order are geth's."""
    if type_of(tx) == BLOB_TYPE:
        raise RpcError("transaction type not supported")
    if tx.gas > GAS_LIMIT:
        raise RpcError("exceeds block gas limit")
    if tx.max_priority_fee_per_gas > tx.max_fee_per_gas:
        raise RpcError(
            f"max priority fee per gas higher than max fee per gas: address {hex_data(tx.sender)}, "
            f"maxPriorityFeePerGas: {tx.max_priority_fee_per_gas}, maxFeePerGas: {tx.max_fee_per_gas}"
        )
    if tx.gas < tx.intrinsic_gas:
        raise RpcError(f"intrinsic gas too low: gas {tx.gas}, minimum needed {tx.intrinsic_gas}")


def _rows(value: Json) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _matches(log: Mapping[str, Any], addresses: object, topics: object) -> bool:
    """Return whether the log is asked for: each filter is one value, a list of alternatives, or null for any."""
    wanted_topics = topics if isinstance(topics, list) else []
    if len(wanted_topics) > len(log["topics"]):
        return False
    pairs = [(addresses, log["address"]), *zip(wanted_topics, log["topics"], strict=False)]
    return all(_allows(wanted, value) for wanted, value in pairs)


def _allows(wanted: object, value: str) -> bool:
    if wanted is None or wanted == []:
        return True
    alternatives = wanted if isinstance(wanted, list) else [wanted]
    return any(isinstance(one, str) and one.lower() == value for one in alternatives)
