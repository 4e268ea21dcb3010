"""Making a home: everything in folders beside it, then one rename that makes it be there.

A crash in the middle leaves hidden folders that nothing opens. Keys come into place before the home that needs them,
and the first checkpoint stands outside before anything can be decided.
"""

import base64
import json
import os
import secrets
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from mcp_wallet.control.environment import ProcessEnvironment
from mcp_wallet.control.home import HomePaths, paths_of
from mcp_wallet.control.operators import check_operator_name, new_token
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.credentials import SECRET_BYTES
from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.four_eyes import Person
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import ALL_ROLES, Role, Verb, may
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settings_source import parse_settings
from mcp_wallet.ports import Actor, Head

OWNER: Final = "owner"
INIT: Final = Actor(kind="system", name="init")
SCRYPT_N: Final = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOptions:
    """How a new home reaches one chain; amounts in wei."""

    nodes: tuple[str, ...]
    max_fee_wei: int
    max_fee_per_day_wei: int
    trust_single_node: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeOptions:
    """What a new home is to be.

    Args:
        where: Where home, keys and checkpoints go, and secrets that are not to be made.
        org_id: The organisation's name; a random one when empty.
        environment: Part of every agent key: `production`, `staging`, ….
        chains: By short name.
        founders: The people of the first hour and their roles; a home that is not solo needs two of them, one who
            proposes and another who approves.
        limits: Counts of `[limits]` that differ from the defaults, by their keys.
        secret: 32 bytes to import as the wallet's key; a fresh key when None.
        scrypt_n: Cost of the keystore, a power of two; smaller ones are for development.
    """

    where: ProcessEnvironment
    org_id: str = ""
    environment: str = "production"
    solo: bool = True
    founders: Mapping[str, frozenset[Role]] = field(default_factory=lambda: {OWNER: ALL_ROLES})
    plaintext: bool = False
    chains: Mapping[str, ChainOptions] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    deduplication_window: str = "10m"
    payees: tuple[Payee, ...] = ()
    secret: bytes | None = field(default=None, repr=False)
    scrypt_n: int = SCRYPT_N


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedHome:
    """A home that stands. The tokens are nowhere else: they are shown once.

    Args:
        verifier_key: The C2SP key by which anyone checks the home's log; to be published elsewhere.
    """

    home: Path
    paths: HomePaths
    settings: Settings
    operator_tokens: Mapping[str, str] = field(repr=False)
    address: Address
    verifier_key: str

    @property
    def operator_token(self) -> str:
        """The first founder's token."""
        return next(iter(self.operator_tokens.values()))


class NewLedger(ControlLedger, Protocol):
    """A ledger that was just made."""

    async def head(self) -> Head:
        """See `ports.Ledger`."""

    async def close(self) -> None:
        """See `ports.Ledger`."""


class HomeParts(Protocol):
    """What a home is made of; wiring says of which adapters."""

    async def create_ledger(
        self, path: Path, *, database_key: bytes | None, home_key: bytes, sender: Address
    ) -> NewLedger:
        """Return a new, empty ledger."""

    async def create_keystore(self, path: Path, password: str, *, secret: bytes | None, scrypt_n: int) -> Address:
        """Write the keystore and return its account."""

    def verifier_key(self, seed: bytes, origin: str) -> str:
        """Return the text by which verifiers know the log."""

    async def anchor(self, checkpoints: Path, *, origin: str, seed: bytes, head: Head) -> None:
        """Make the first checkpoint durable outside the home."""


async def create_home(options: HomeOptions, parts: HomeParts) -> CreatedHome:
    """Return a new home: settings, keys, keystore, ledger, its founders, and the first checkpoint.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED` when something stands there already, or the options are no settings.
        OutsideError: `DISK_FULL | LEDGER_UNAVAILABLE` when it cannot be written; nothing stands then.
    """
    _check_founders(options)
    org_id = options.org_id or "org_" + _random_name(10)
    log_id = "log_" + _random_name(5)
    text = settings_text(options, org_id=org_id, log_id=log_id)
    settings = parse_settings(_parsed(text), options.payees, "1")
    paths = paths_of(options.where, org_id)
    _refuse_existing(paths)
    with _written_beside(paths) as beside:
        made = _made_keys(options, plaintext=settings.plaintext)
        _write_files(beside, text, made)
        address = await parts.create_keystore(
            beside.keystore, made.password, secret=options.secret, scrypt_n=options.scrypt_n
        )
        ledger = await parts.create_ledger(
            beside.ledger, database_key=made.database, home_key=made.home, sender=address
        )
        try:
            tokens = await _begin(ledger, settings, options.founders, made.home)
            head = await ledger.head()
        finally:
            await ledger.close()
        await parts.anchor(paths.checkpoints, origin=settings.origin, seed=made.log, head=head)
    return CreatedHome(
        home=paths.home,
        paths=paths,
        settings=settings,
        operator_tokens=tokens,
        address=address,
        verifier_key=parts.verifier_key(made.log, settings.origin),
    )


def settings_text(options: HomeOptions, *, org_id: str, log_id: str) -> str:
    """Return the text of `wallet.toml`."""
    lines = [
        "# The settings of this wallet that bear on money. They are in force as they were approved: a server refuses",
        "# to start when this file says something else (`mcp-wallet doctor` shows what). Amounts are quoted.",
        f"orgId = {_quoted(org_id)}",
        f"logId = {_quoted(log_id)}",
        f"environment = {_quoted(options.environment)}",
        f"solo = {_truth(options.solo)}",
        f"plaintext = {_truth(options.plaintext)}",
        f"deduplicationWindow = {_quoted(options.deduplication_window)}",
    ]
    if options.limits:
        lines += ["", "[limits]", *(f"{key} = {count}" for key, count in options.limits.items())]
    for name, chain in options.chains.items():
        lines += [
            "",
            f"[chains.{_quoted(name)}]",
            f"nodes = [{', '.join(_quoted(node) for node in chain.nodes)}]",
            f'maxFeeWei = "{chain.max_fee_wei}"',
            f'maxFeePerDayWei = "{chain.max_fee_per_day_wei}"',
        ]
        if chain.trust_single_node is not None:
            lines.append(f"trustSingleNode = {_truth(chain.trust_single_node)}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    database: bytes | None = field(repr=False)
    home: bytes = field(repr=False)
    log: bytes = field(repr=False)
    password: str = field(repr=False)
    files: Mapping[str, str] = field(repr=False)


def _made_keys(options: HomeOptions, *, plaintext: bool) -> _Keys:
    """Return fresh keys; what the environment brings is used and not written."""
    where, home, log = options.where, secrets.token_bytes(32), secrets.token_bytes(32)
    database = None if plaintext else _given_key(where.database_key) or secrets.token_bytes(32)
    password = where.keystore_password or secrets.token_hex(32)
    files = {"home.key": home.hex(), "log.key": log.hex()}
    if database is not None and not where.database_key:
        files["database.key"] = database.hex()
    if not where.keystore_password:
        files["keystore.password"] = password
    return _Keys(database=database, home=home, log=log, password=password, files=files)


def _given_key(text: str) -> bytes | None:
    if not text:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != SECRET_BYTES:
        raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, "MCP_WALLET_DATABASE_KEY must be 64 hex digits.")
    return key


def _check_founders(options: HomeOptions) -> None:
    """Refuse people who could not run the home."""
    for name in options.founders:
        check_operator_name(name)
    people = options.founders.items()
    proposers = [name for name, roles in people if may(roles, Verb.PROPOSE)]
    seconds = [name for name, roles in people if may(roles, Verb.APPROVE)]
    pairs = [(one, other) for one in proposers for other in seconds if options.solo or one != other]
    if not pairs or not any(may(roles, Verb.GOVERN) for _, roles in people):
        sentence = (
            "Somebody must be admin, somebody operator and, unless the home is solo, another person approver: "
            "name them, or make the home solo."
        )
        raise OwnerError(ReasonCode.SECOND_PERSON_REQUIRED, sentence)


async def _begin(
    ledger: NewLedger, settings: Settings, founders: Mapping[str, frozenset[Role]], home_key: bytes
) -> dict[str, str]:
    """Apply the settings, create the founders, and return their tokens."""
    added = [("payee_added", {"name": p.name, "address": p.address}) for p in settings.book.payees]
    await ledger.apply_settings(settings, actor=INIT, events=added)
    tokens = {name: new_token(home_key) for name in founders}
    for name, roles in founders.items():
        person = Person(name=name, roles=roles, token_id=tokens[name].token_id, since_ms=0, is_founder=True)
        await ledger.add_operator(person, token_hash=tokens[name].hash, actor=INIT)
    return {name: token.text for name, token in tokens.items()}


def _refuse_existing(paths: HomePaths) -> None:
    for folder, what in ((paths.home, "A home"), (paths.keys, "A keys folder of this organisation")):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            sentence = (
                f"{what} stands there already and was left as it is: choose another place, or remove it yourself."
            )
            raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence)
    if paths.keys == paths.home or paths.home in paths.keys.parents:
        raise OwnerError(
            ReasonCode.CONFIG_UNAPPROVED, "The keys folder must be outside the home: a copied home must open nothing."
        )


@contextmanager
def _written_beside(paths: HomePaths) -> Iterator[HomePaths]:
    """Give hidden folders beside home and keys; move them into place when the block ends well, remove them if not."""
    beside = HomePaths(home=_beside(paths.home), keys=_beside(paths.keys), state=paths.state)
    try:
        for folder in (beside.home, beside.keys):
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
        yield beside
        for made, place in ((beside.keys, paths.keys), (beside.home, paths.home)):
            _sync(made)
            made.rename(place)
            _sync(place.parent)
    except OSError as problem:
        raise OutsideError(
            ReasonCode.LEDGER_UNAVAILABLE, f"The home cannot be written: {problem.strerror or 'the disk refused'}."
        ) from problem
    finally:
        for folder in (beside.home, beside.keys):
            shutil.rmtree(folder, ignore_errors=True)


def _write_files(beside: HomePaths, text: str, made: _Keys) -> None:
    beside.policies.mkdir(mode=0o700)
    _write(beside.settings, text)
    for name, content in made.files.items():
        _write(beside.keys / name, content + "\n")


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name.lstrip('.')}.{secrets.token_hex(4)}.new")


def _random_name(size: int) -> str:
    return base64.b32encode(secrets.token_bytes(size)).decode("ascii").rstrip("=").lower()


def _parsed(text: str) -> dict[str, object]:
    """Return what was written, read back: file and ledger hold the same settings."""
    return tomllib.loads(text)


def _quoted(text: str) -> str:
    return json.dumps(text)


def _truth(value: bool) -> str:  # noqa: FBT001  the word for it
    return "true" if value else "false"
