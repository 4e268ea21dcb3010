"""wallet.toml: strict, all problems at once, and the same document for the same meaning."""

import tomllib

import pytest

from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.identifiers import Address, ChainId
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.registry import SHIPPED
from mcp_wallet.core.settings import settings_of
from mcp_wallet.core.settings_source import parse_settings, with_payees

TOP = 'orgId = "org_a"\nlogId = "log_a"\nenvironment = "production"\n'
FEES = 'maxFeeWei = "2000000000000000"\nmaxFeePerDayWei = "9000000000000000"'
BASE = '[chains.base]\nnodes = ["https://node.example"]\n' + FEES
ALICE = Payee(name="alice", address=Address("0x" + "a1" * 20), category="refund", added_at_ms=7)


def settings(text):
    return parse_settings(tomllib.loads(text), (ALICE,), "1")


def problems(text):
    with pytest.raises(OwnerError) as caught:
        settings(text)
    return caught.value.details["problems"]


def test_defaults_are_filled_in():
    found = settings(TOP + BASE)
    assert (found.deduplication_ms, found.calls_per_minute, found.pending_max) == (600_000, 60, 5)
    assert found.chains[ChainId("eip155:8453")].max_fee_wei == 2 * 10**15
    assert not found.chains[ChainId("eip155:8453")].trust_single_node
    assert found.origin == "mcp-wallet/org_a/log_a"


def test_comments_order_and_written_defaults_change_nothing():
    plain = settings(TOP + BASE)
    wordy = settings(
        '# ours\ndeduplicationWindow = "10m"\n' + TOP + BASE + "\nconfirmations = 10\n[limits]\npendingMax = 5\n"
    )
    assert wordy.hash == plain.hash


def test_a_stored_document_means_the_same_settings():
    found = settings(TOP + BASE)
    assert settings_of(found.document, version="1") == found


def test_the_document_keeps_the_registry_it_decided_with():
    assert settings(TOP + BASE).registry == SHIPPED


def test_a_new_payee_makes_the_next_version_and_another_hash():
    before = settings(TOP + BASE)
    after = with_payees(before, ())
    assert (after.version, after.book.payees) == ("2", ())
    assert after.hash != before.hash
    assert after.chains == before.chains


def test_only_the_local_chain_trusts_one_node_by_default():
    text = TOP + BASE.replace("chains.base", "chains.local")
    assert settings(text).chains[ChainId("eip155:31337")].trust_single_node


def test_confirmations_of_a_shipped_chain_can_be_raised():
    found = settings(TOP + BASE + "\nconfirmations = 30")
    assert found.registry.chain("base").confirmations == 30


def test_an_operator_adds_a_chain_and_a_token():
    text = (
        TOP
        + BASE.replace("chains.base", "chains.gnosis")
        + '\nchainId = "eip155:100"\nnativeSymbol = "xdai"\nslip44 = 700\nconfirmations = 20\n'
        + '[[assets]]\nsymbol = "eurc"\nchain = "gnosis"\naddress = "0x'
        + "ab" * 20
        + '"\ndecimals = 6\n'
    )
    registry = settings(text).registry
    assert registry.asset(ChainId("eip155:100"), "eurc").decimals == 6
    assert registry.native(ChainId("eip155:100")).asset_id == "eip155:100/slip44:700"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colour = 1\n" + TOP, "`colour` is not a setting"),
        (TOP + BASE + "\nnode = 1", "`chains.base.node` is not a setting"),
        (TOP + BASE.replace('"2000000000000000"', "2000000000000000"), "`chains.base.maxFeeWei` must be wei as quoted"),
        (TOP + BASE.replace('"2000000000000000"', '"0"'), "`chains.base.maxFeeWei` must be wei as quoted"),
        (TOP + "[chains.base]\nnodes = []\n", "`chains.base.nodes` must be a list"),
        (TOP + BASE.replace("https://node.example", "ftp://node.example"), "`chains.base.nodes` must be a list"),
        (TOP + BASE.replace("chains.base", "chains.gnosis"), "`chains.gnosis.chainId` is missing"),
        (TOP.replace("production", "Pro_duction"), "`environment` must be"),
        (TOP.replace('orgId = "org_a"\n', ""), "`orgId` is missing"),
        (TOP + 'deduplicationWindow = "ten"', "`deduplicationWindow` must be a duration"),
        (TOP + "[limits]\ncallsPerMinute = 0", "`limits.callsPerMinute` must be a whole number"),
        (TOP + "[limits]\ncallsPerMinute = 1.5", "`limits.callsPerMinute` must be a whole number"),
        (TOP + "[limits]\ncallsPerMinute = true", "`limits.callsPerMinute` must be a whole number"),
        (TOP + 'solo = "yes"', "`solo` must be true or false"),
        (TOP + "chains = 3", "`chains` must be a table"),
        (
            TOP + '[[assets]]\nsymbol = "usdc"\nchain = "base"\naddress = "0x' + "ab" * 20 + '"\ndecimals = 6',
            "is known on base",
        ),
        (
            TOP + '[[assets]]\nsymbol = "eurc"\nchain = "mars"\naddress = "0x' + "ab" * 20 + '"\ndecimals = 6',
            "`assets[0].chain`",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(text, sentence):
    assert sentence in problems(text)
    assert problems(text).startswith("wallet.toml: ")


def test_all_problems_are_told_at_once():
    assert problems("colour = 1\n").count("\n") == 3


def test_a_document_of_another_shape_is_refused():
    with pytest.raises(OwnerError, match="not a settings document"):
        settings_of({"version": "1"}, version="1")
