"""Reading a list file: one address or payee name a line, `#` comments, a million lines in seconds."""

from functools import lru_cache

from mcp_wallet.core.address_set import ADDRESS_BYTES, AddressSet
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy_source import Problem, invalid, shown
from mcp_wallet.core.policy_terms import recipient_address

_PLAIN_CHARACTERS = 42
_LINE_BYTES = _PLAIN_CHARACTERS + 1


def read_addresses(text: str, *, name: str, book: AddressBook) -> AddressSet:
    """Return the addresses of a list file.

    Args:
        text: The file's text.
        name: What the file is called in a message.
        book: Payees.

    Raises:
        OwnerError: `POLICY_INVALID` with every line that is neither an address nor a payee.
    """
    return _all_plain(text) or AddressSet.of_keys(_read_lines(text, name, book))


@lru_cache(maxsize=1)
def _all_plain(text: str) -> AddressSet | None:
    """Return the addresses of a file of nothing but addresses in lower case, None for any other.

    Such a file is read as one text. The newest is kept: a proposal reads its policy once for itself and once for its
    tests, and hashes the list once.
    """
    raw = text.encode() if text.endswith("\n") else f"{text}\n".encode()
    count, rest = divmod(len(raw), _LINE_BYTES)
    if (
        rest
        or raw.translate(None, b"0123456789abcdefx\n")
        or raw[0::_LINE_BYTES] != b"0" * count
        or raw[1::_LINE_BYTES] != b"x" * count
        or raw[_LINE_BYTES - 1 :: _LINE_BYTES] != b"\n" * count
        or (raw.count(b"x"), raw.count(b"\n")) != (count, count)
    ):
        return None
    width = ADDRESS_BYTES * 2 + 1  # the digit before each `x` is still there: 41 digits a line
    digits = raw.translate(None, b"x\n").decode()
    packed = bytes.fromhex("".join([digits[i + 1 : i + width] for i in range(0, len(digits), width)]))
    return AddressSet.of_keys([packed[i : i + ADDRESS_BYTES] for i in range(0, len(packed), ADDRESS_BYTES)])


def _read_lines(text: str, name: str, book: AddressBook) -> list[bytes]:
    keys: list[bytes] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), start=1):
        key = _plain(line)
        if key is not None:
            keys.append(key)
            continue
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        try:
            keys.append(_key(recipient_address(entry, book)))
        except CallerError:
            sentence = f"{shown(entry)} is neither an address with a right checksum nor a known payee"
            problems.append(Problem(line=number, column=1, sentence=sentence))
    if problems:
        raise invalid(name, problems)
    return keys


def _plain(line: str) -> bytes | None:
    """Return the address of a line that is one in lower case and nothing else: most lines of a long file."""
    if len(line) != _PLAIN_CHARACTERS or not line.startswith("0x") or not line.islower():
        return None
    try:
        key = bytes.fromhex(line[2:])
    except ValueError:
        return None
    return key if len(key) == ADDRESS_BYTES else None


def _key(address: Address) -> bytes:
    return bytes.fromhex(address[2:])
