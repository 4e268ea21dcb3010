import pytest

from mcp_wallet.adapters.evm.node import RpcError
from mcp_wallet.adapters.evm.sending import read_refusal
from mcp_wallet.ports import Sent

KNOWN = [
    "already known",  # geth, reth, anvil
    "Already known",
    "AlreadyKnown",  # Nethermind
    "known transaction: 0xabc",  # older geth
    "transaction already imported",  # Erigon, OpenEthereum
    "Transaction with the same hash was already imported.",
    "transaction already exists in the pool",
]
NONCE_TOO_LOW = [
    "nonce too low",
    "nonce too low: next nonce 8, tx nonce 7",
    "Nonce is too low",
    "OldNonce",  # Nethermind
    "the tx nonce has already been used",
]
REFUSED = [
    "",
    "replacement transaction underpriced",
    "insufficient funds for gas * price + value",
    "invalid chain id for signer: have 1 want 31337",
    "unknown transaction type",
    "nonce too high",
    "exceeds block gas limit",
    "internal error",
]


def answer(message: str) -> Sent:
    return read_refusal(RpcError(code=-32000, message=message))


@pytest.mark.parametrize("message", KNOWN)
def test_every_clients_words_for_bytes_it_already_has_are_known(message):
    assert answer(message) is Sent.KNOWN


@pytest.mark.parametrize("message", NONCE_TOO_LOW)
def test_every_clients_words_for_a_used_nonce_are_a_used_nonce(message):
    assert answer(message) is Sent.NONCE_TOO_LOW


@pytest.mark.parametrize("message", REFUSED)
def test_anything_else_proves_nothing(message):
    assert answer(message) is Sent.REFUSED
