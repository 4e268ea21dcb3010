"""A packed list answers as a set of the same addresses does, and commits to the same root."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet.core.address_lines import read_addresses
from mcp_wallet.core.address_set import AddressSet, ListCommitment
from mcp_wallet.core.canonical import canonical_bytes
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.identifiers import Address, checksum_address
from mcp_wallet.core.merkle import Frontier, leaf_hash, root_of
from mcp_wallet.core.payees import AddressBook, Payee

ALICE = Address("0x" + "a1" * 20)
BOOK = AddressBook(payees=(Payee(name="alice", address=ALICE),))
# Few different bytes, so that neighbours repeat and a needle also lies across two of them.
keys = st.lists(st.binary(min_size=20, max_size=20) | st.lists(st.sampled_from([0, 1]), min_size=20, max_size=20))


def texts(found: list[bytes] | list[list[int]]) -> list[Address]:
    return [Address("0x" + bytes(key).hex()) for key in found]


def many(count: int, seed: int = 1) -> list[Address]:
    random = Random(seed)
    return [Address(f"0x{random.getrandbits(160):040x}") for _ in range(count)]


@given(keys, keys)
def test_it_holds_exactly_what_a_set_of_texts_holds(listed, others):
    addresses, plain = AddressSet.of(texts(listed)), frozenset(texts(listed))
    assert [*addresses] == sorted(plain)
    assert len(addresses) == len(plain)
    assert [a in addresses for a in texts(others + listed)] == [a in plain for a in texts(others + listed)]
    assert (addresses == plain, plain == addresses) == (True, True)
    assert addresses & frozenset(texts(others)) == plain & frozenset(texts(others))


def test_every_entry_of_a_long_list_is_found_and_its_neighbours_are_not():
    found = range(0x1000, 0x1000 + 6_000, 2)
    addresses = AddressSet.of(f"0x{i:040x}" for i in found)
    assert [i for i in range(0xFFE, 0x1000 + 6_002) if f"0x{i:040x}" in addresses] == [*found]
    assert addresses.__contains__(0x1000) is False


def test_an_address_that_lies_across_two_entries_is_not_listed():
    one, other = bytes(10) + b"\x01" * 10, b"\x01" * 10 + bytes(9) + b"\x02"
    addresses = AddressSet.of_keys([one, other])
    assert "0x" + ((one + other)[10:30]).hex() not in addresses
    assert "0x" + other.hex() in addresses


def test_bytes_that_are_no_addresses_are_refused():
    with pytest.raises(ValueError, match="20 bytes"):
        AddressSet(b"x" * 21)


@given(st.lists(st.binary(max_size=3), max_size=70))
def test_a_root_taken_at_once_is_that_of_a_tree_that_grew(leaves: list[bytes]):
    tree = Frontier.empty()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    assert root_of([leaf_hash(leaf) for leaf in leaves]) == tree.root()


def test_a_commitment_is_written_without_the_addresses():
    addresses = AddressSet.of(many(300))
    document = canonical_bytes({"lists": {"known": ListCommitment(addresses)}})
    assert document == b'{"lists":{"known":{"count":"300","root":"%s"}}}' % addresses.root.encode()


def test_a_root_that_is_known_is_not_computed_again():
    assert AddressSet(bytes(20), root="ab").root == "ab"


def test_a_list_file_is_read_in_each_way_an_address_can_be_written():
    listed = many(50)
    lines = [checksum_address(a) if i % 2 else a for i, a in enumerate(listed)]
    lines += ["", "# nobody", "  alice  # a friend", "0x" + ALICE[2:].upper()]
    assert read_addresses("\n".join(lines), name="l.txt", book=BOOK) == {*listed, ALICE}


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n"])
@pytest.mark.parametrize("count", [0, 1, 2, 500])
def test_a_file_of_plain_addresses_is_read_as_its_lines_are(count: int, end: str):
    listed = many(count)
    text = "\n".join([*listed, *listed[:1]]) + end
    assert read_addresses(text, name="l.txt", book=BOOK) == {*listed}


@given(st.text("0x1af\n ", max_size=130))
def test_a_text_that_only_looks_like_plain_addresses_is_not_read_as_such(noise: str):
    text = f"{ALICE}\n{noise}"
    entries = [line.strip() for line in noise.splitlines() if line.strip()]
    try:
        found = read_addresses(text, name="l.txt", book=BOOK)
    except OwnerError:
        assert not all(len(entry) == 42 and entry.startswith("0x") and "x" not in entry[2:] for entry in entries)
    else:
        assert found == {ALICE, *entries}


@pytest.mark.parametrize(
    "line",
    [
        "0x" + "ab cd" + "0" * 35,
        "0x" + "0" * 39 + "g",
        "0x" + "é" + "a" * 39,
        "0y" + "a" * 40,
        "0x" + "a" * 39,
        "0x" + "a" * 39 + "A",
        "bob",
    ],
)
def test_a_line_that_is_nobody_is_refused_by_its_number(line: str):
    with pytest.raises(OwnerError) as refused:
        read_addresses(f"{ALICE}\n{line}\n", name="l.txt", book=BOOK)
    assert "l.txt:2:1" in refused.value.details["problems"]
