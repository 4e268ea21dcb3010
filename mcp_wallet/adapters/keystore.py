"""The default signer: an encrypted key file (Web3 Secret Storage v3), opened once, off the event loop.

The file must belong to this user and be closed to all others. scrypt makes opening it take most of a second and
256 MiB, on purpose.
"""

import asyncio
import json
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.local_key import LocalKey
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.signing_gate import Sealed

KEYSTORE_BYTES_MAX: Final = 65_536
SCRYPT_N: Final = 262_144
"""Cost of one guess of the password: 128 * n * r bytes of memory, r = 8."""

_ADDRESS = re.compile(r"(?:0x)?([0-9a-f]{40})")
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeystoreSigner:
    """Signs with the key of an encrypted file (`ports.Signer`).

    Args:
        path: The file; its address is read at once, its key at the first use or by `unlock`.
        password: Forgotten once the file is open.

    Raises:
        OwnerError: `SIGNER_UNAVAILABLE` when the file is missing, open to others or not a keystore.
    """

    def __init__(self, path: Path, password: str) -> None:
        """Read the file, not the key."""
        self._document = _load(path)
        self._address = _address_in(self._document)
        self._password = password
        self._key: LocalKey | None = None
        self._unlocking = asyncio.Lock()

    def __repr__(self) -> str:
        """Show whose key it is, never password or key."""
        return f"KeystoreSigner({self._address})"

    @property
    def address(self) -> Address:
        """The account that it signs for, as the file says; `unlock` makes sure that the key agrees."""
        return self._address

    async def unlock(self) -> None:
        """Open the file, once for all callers.

        Raises:
            OwnerError: `SIGNER_UNAVAILABLE` for a wrong password, or a key of another address than the file says.
        """
        await self._unlocked()

    async def sign(self, sealed: Sealed) -> bytes:
        """Return the signed bytes; the first call unlocks."""
        try:
            key = await self._unlocked()
        except OwnerError as problem:
            raise OutsideError(problem.code, problem.message, retryable=False) from problem
        return key.sign(sealed)

    async def _unlocked(self) -> LocalKey:
        async with self._unlocking:
            if self._key is None:
                key = await asyncio.to_thread(_decrypt, self._document, self._password)
                if key.address != self._address:
                    raise _unusable("The keystore holds the key of another account than it names.")
                self._key, self._password, self._document = key, "", {}
            return self._key


async def create_keystore(
    path: Path, password: str, *, secret: bytes | None = None, scrypt_n: int = SCRYPT_N
) -> Address:
    """Write a new encrypted key file and return its address; durable on return.

    The file appears whole or not at all, with mode 0600, and never replaces another.

    Args:
        path: Where; its folder must exist.
        password: Any text that is not empty.
        secret: 32 bytes to import; a fresh key when None.
        scrypt_n: Cost, a power of two; smaller ones are for tests.

    Raises:
        OwnerError: `SIGNER_UNAVAILABLE` when something is there already, or the password is empty.
        OutsideError: `SIGNER_UNAVAILABLE` when it cannot be written.
    """
    if not password:
        raise _unusable("The keystore needs a password.")
    return await asyncio.to_thread(_create, path, password, secret=secret, scrypt_n=scrypt_n)


def _create(path: Path, password: str, *, secret: bytes | None, scrypt_n: int) -> Address:
    from eth_account import Account  # noqa: PLC0415  half a second at start-up

    secret = bytes(Account.create().key) if secret is None else secret
    address = LocalKey(secret).address
    document = Account.encrypt(secret, password, kdf="scrypt", iterations=scrypt_n)
    try:
        _write_new(path, json.dumps(document).encode("utf-8"))
    except FileExistsError:
        raise _unusable("There is a keystore already; it was left as it is.") from None
    except OSError as problem:
        raise OutsideError(ReasonCode.SIGNER_UNAVAILABLE, "The keystore could not be written.") from problem
    return address


def _write_new(path: Path, content: bytes) -> None:
    """Write a whole file that must not exist yet, and make file and name durable."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _load(path: Path) -> dict[str, object]:
    """Return the parsed file; who may read it is asked of the opened file, so that it cannot be swapped between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as problem:
        raise _unusable("The keystore file is missing or cannot be opened.") from problem
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise _unusable("The keystore must be a plain file of this user.")
        if status.st_mode & _OPEN_TO_OTHERS:
            raise _unusable("Others may read or change the keystore file: set its permissions to 0600.")
        content = file.read(KEYSTORE_BYTES_MAX + 1)
    try:
        document = json.loads(content) if len(content) <= KEYSTORE_BYTES_MAX else None
    except (ValueError, RecursionError) as problem:
        raise _unusable("The keystore file is not Web3 Secret Storage JSON.") from problem
    if not isinstance(document, dict) or document.get("version") != 3:  # noqa: PLR2004  the format's name
        raise _unusable("The keystore file is not Web3 Secret Storage version 3.")
    return document


def _address_in(document: dict[str, object]) -> Address:
    match = _ADDRESS.fullmatch(str(document.get("address", "")).lower())
    if match is None:
        raise _unusable("The keystore file does not name its address.")
    return Address("0x" + match.group(1))


def _decrypt(document: dict[str, object], password: str) -> LocalKey:
    from eth_account import Account  # noqa: PLC0415  half a second at start-up

    try:
        secret = bytes(Account.decrypt(document, password))
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise _unusable("The keystore could not be opened: the password is wrong or the file is damaged.") from problem
    return LocalKey(secret)


def _unusable(sentence: str) -> OwnerError:
    return OwnerError(ReasonCode.SIGNER_UNAVAILABLE, sentence)
