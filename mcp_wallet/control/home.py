"""Where a home's files are, and how its keys are read.

The home holds what may be copied: settings text, ledger, keystore, policies. Outside it stand the keys that open them
and the checkpoints that a restored old home cannot take back. A key file that others can read is refused.
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mcp_wallet.control.environment import ProcessEnvironment
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settings_source import parse_settings

KEY_BYTES: Final = 32
SECRET_BYTES_MAX: Final = 4096
SOURCE_BYTES_MAX: Final = 1_000_000
OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePaths:
    """Every file of one home."""

    home: Path
    keys: Path
    state: Path

    @property
    def settings(self) -> Path:
        """The settings' source text."""
        return self.home / "wallet.toml"

    @property
    def ledger(self) -> Path:
        """The ledger's database."""
        return self.home / "ledger.db"

    @property
    def keystore(self) -> Path:
        """The wallet's encrypted key."""
        return self.home / "keystore.json"

    @property
    def policies(self) -> Path:
        """The operator's policy files."""
        return self.home / "policies"

    @property
    def lease(self) -> Path:
        """The lock of the one process that settles."""
        return self.home / "settlement.lock"

    @property
    def database_key(self) -> Path:
        """Opens the ledger."""
        return self.keys / "database.key"

    @property
    def home_key(self) -> Path:
        """Keys intent ids, credentials and recipient pseudonyms."""
        return self.keys / "home.key"

    @property
    def log_key(self) -> Path:
        """Signs checkpoints."""
        return self.keys / "log.key"

    @property
    def keystore_password(self) -> Path:
        """Opens the keystore."""
        return self.keys / "keystore.password"

    @property
    def checkpoints(self) -> Path:
        """The anchor file."""
        return self.state / "checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeKeys:
    """What opens a home's ledger and signs its log.

    Args:
        database: 32 bytes, or None for a plaintext ledger.
    """

    database: bytes | None = field(repr=False)
    home: bytes = field(repr=False)


def paths_of(environment: ProcessEnvironment, org_id: str) -> HomePaths:
    """Return the files of an organisation's home."""
    return HomePaths(
        home=environment.home,
        keys=environment.keys_dir or environment.config_base.expanduser() / "mcp-wallet" / org_id,
        state=environment.state_dir or environment.state_base.expanduser() / "mcp-wallet" / org_id,
    )


def load_source(path: Path) -> dict[str, object]:
    """Return the parsed text of `wallet.toml`.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED` when it is missing, unreadable, too long or not TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(SOURCE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise _unusable(
            "There is no wallet here yet: run `mcp-wallet init`; on play money `mcp-wallet serve --dev` needs none."
        ) from None
    except OSError as problem:
        raise _unusable("wallet.toml cannot be read: check its permissions.") from problem
    if len(content) > SOURCE_BYTES_MAX:
        raise _unusable("wallet.toml is longer than a megabyte.")
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise _unusable("wallet.toml is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as problem:
        raise _unusable(f"wallet.toml is not TOML: {problem}.") from None


def locate(environment: ProcessEnvironment) -> HomePaths:
    """Return the files of the home that stands at `environment.home`; errors as `load_source`."""
    source = load_source(environment.home / "wallet.toml")
    return paths_of(environment, parse_settings(source, (), "0").org_id)


def load_keys(paths: HomePaths, environment: ProcessEnvironment) -> HomeKeys:
    """Return database key and home key.

    Raises:
        OwnerError: `LEDGER_UNAVAILABLE` when a key is missing, malformed or open to others.
    """
    plaintext = parse_settings(load_source(paths.settings), (), "0").plaintext
    if plaintext:
        database = None
    elif environment.database_key:
        database = _key_bytes(environment.database_key, "MCP_WALLET_DATABASE_KEY")
    else:
        database = load_key(paths.database_key)
    return HomeKeys(database=database, home=load_key(paths.home_key))


def load_key(path: Path) -> bytes:
    """Return the 32 bytes of a key file; `OwnerError(LEDGER_UNAVAILABLE)`."""
    return _key_bytes(load_secret(path, ReasonCode.LEDGER_UNAVAILABLE), path.name)


def load_password(paths: HomePaths, environment: ProcessEnvironment) -> str:
    """Return the keystore's password; `OwnerError(SIGNER_UNAVAILABLE)`."""
    return environment.keystore_password or load_secret(paths.keystore_password, ReasonCode.SIGNER_UNAVAILABLE)


def load_secret(path: Path, code: ReasonCode) -> str:
    """Return the one line of a secret file that is this user's and closed to all others; `OwnerError` with the code."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as problem:
        sentence = (
            f"{path.name} is missing from the keys folder or cannot be opened: restore it from where you keep it."
        )
        raise OwnerError(code, sentence) from problem
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise OwnerError(code, f"{path.name} must be a plain file of this user.")
        if status.st_mode & OPEN_TO_OTHERS:
            raise OwnerError(code, f"Others may read {path.name}: set its permissions to 0600.")
        content = file.read(SECRET_BYTES_MAX)
    return content.decode("utf-8", "replace").strip()


def check_approved(paths: HomePaths, active: Settings | None) -> Settings:
    """Return the active settings when `wallet.toml` says the same.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED` when it does not, or the home has no settings.
    """
    if active is None:
        raise _unusable("This home has no active settings: run `mcp-wallet init` in a new home.")
    changed = differing_settings(paths, active)
    if changed:
        raise _unusable(
            f"wallet.toml differs from the active settings in {', '.join(f'`{key}`' for key in changed)}: "
            "put it back, or propose it (`mcp-wallet config propose`)."
        )
    return active


def differing_settings(paths: HomePaths, active: Settings) -> list[str]:
    """Return the top-level keys in which `wallet.toml` says something else than what is in force, sorted."""
    parsed = parse_settings(load_source(paths.settings), active.book.payees, active.version)
    written, approved = _source_of(parsed), _source_of(active)
    return sorted(key for key in written.keys() | approved.keys() if written.get(key) != approved.get(key))


def _source_of(settings: Settings) -> Mapping[str, object]:
    document = settings.document
    source = document.get("source") if isinstance(document, Mapping) else None
    return source if isinstance(source, Mapping) else {}


def _key_bytes(text: str, name: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise OwnerError(ReasonCode.LEDGER_UNAVAILABLE, f"{name} must be {KEY_BYTES * 2} hex digits.")
    return key


def _unusable(sentence: str) -> OwnerError:
    return OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence)
