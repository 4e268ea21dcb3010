"""Chains, assets and addresses: what is one, and what only looks like one."""

import pytest

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import (
    Address,
    checksum_address,
    is_lookalike,
    is_payee_name,
    is_reserved_address,
    parse_address,
    parse_asset_id,
    parse_chain_id,
)
from mcp_wallet.core.registry import SHIPPED

# The examples of EIP-55.
CHECKSUMMED = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("text", CHECKSUMMED)
def test_the_standards_own_addresses_are_read_and_written_as_it_writes_them(text):
    assert checksum_address(parse_address(text)) == text


@pytest.mark.parametrize("text", CHECKSUMMED[4:])
def test_one_wrong_letter_case_is_refused_before_anything_is_normalised(text):
    wrong = text[:-1] + text[-1].swapcase() if text[-1].isalpha() else text[:5].swapcase() + text[5:]
    with pytest.raises(CallerError, match="checksum"):
        parse_address("0x" + wrong[2:])


def test_an_address_in_one_case_carries_no_checksum():
    assert parse_address(CHECKSUMMED[4].lower()) == parse_address("0x" + CHECKSUMMED[4][2:].upper())


@pytest.mark.parametrize(
    "text", ["", "0x", "0x12", "0x" + "g" * 40, "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "\uff10x" + "1" * 40]
)
def test_what_is_no_address_says_what_to_send(text):
    with pytest.raises(CallerError, match="40 hex digits"):
        parse_address(text)


def test_the_zero_address_and_precompiles_are_reserved_and_their_neighbour_is_not():
    assert all(is_reserved_address(Address(f"0x{n:040x}")) for n in (0, 1, 9, 0x100, 0x1FF))
    assert not is_reserved_address(Address(f"0x{0x200:040x}"))


def test_a_lookalike_shares_both_ends_and_is_not_the_same():
    known = Address("0xabc" + "0" * 33 + "1234")
    assert is_lookalike(Address("0xabc" + "f" * 33 + "1234"), known)
    assert not is_lookalike(known, known)
    assert not is_lookalike(Address("0xabd" + "f" * 33 + "1234"), known)


@pytest.mark.parametrize(
    ("text", "fits"), [("alice", True), ("a-1", True), ("Alice", False), ("1a", False), ("a" * 64, False), ("", False)]
)
def test_a_payee_name_is_lower_case_and_short(text, fits):
    assert is_payee_name(text) is fits


@pytest.mark.parametrize("text", ["eip155:0", "eip155:01", "eip155:", "solana:1", "8453"])
def test_another_chain_id_is_refused(text):
    with pytest.raises(CallerError, match="CAIP-2"):
        parse_chain_id(text)


@pytest.mark.parametrize(
    "text", ["eip155:1/erc20:0x12", "eip155:1/slip44:060", "erc20:0x" + "1" * 40, "eip155:1/erc721:0x" + "1" * 40]
)
def test_another_asset_id_is_refused(text):
    with pytest.raises(CallerError, match="CAIP-19"):
        parse_asset_id(text)


def test_the_shipped_registry_names_each_chain_and_asset_once_and_pins_six_places_for_usdc():
    assert len({c.chain_id for c in SHIPPED.chains}) == len({c.name for c in SHIPPED.chains}) == len(SHIPPED.chains)
    assert len({a.asset_id for a in SHIPPED.assets}) == len(SHIPPED.assets) == 2 * len(SHIPPED.chains)
    assert {a.decimals for a in SHIPPED.assets_of("usdc")} == {6}
    assert [SHIPPED.chain(name).number for name in ("ethereum", "base", "eip155:10", "local")] == [1, 8453, 10, 31337]
