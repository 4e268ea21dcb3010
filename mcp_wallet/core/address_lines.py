"""Reading a list file: one address or payee name a line, `#` comments, a million lines in seconds."""

from mcp_wallet.core.address_set import ADDRESS_BYTES
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy_source import Problem, invalid, shown
from mcp_wallet.core.policy_terms import recipient_address

_PLAIN_CHARACTERS = 42


def read_addresses(text: str, *, name: str, book: AddressBook) -> list[bytes]:
    """Return the 20-byte addresses of a list file, in the order of its lines.

    Args:
        text: The file's text.
        name: What the file is called in a message.
        book: Payees.

    Raises:
        OwnerError: `POLICY_INVALID` with every line that is neither an address nor a payee.
    """
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
