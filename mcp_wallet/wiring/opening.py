"""Opening a home: for operators its ledger alone, for agents the whole wallet.

Nothing that an answer does not need is imported or opened: the key is unlocked by the first payment, nodes are met by
the first question to them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mcp_wallet.adapters.clock import wall_clock
from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.control.environment import ProcessEnvironment
from mcp_wallet.control.home import HomeKeys, HomePaths, check_approved, load_key, load_keys, load_password, locate
from mcp_wallet.core.building import build_payment
from mcp_wallet.core.errors import OwnerError, WalletError
from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.payments.anchoring import Anchoring, Notary, check_rollback
from mcp_wallet.payments.wallet import SYSTEM, Wallet
from mcp_wallet.ports import Anchor, Builder, ChainPort, Chains, Clock, Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHome:
    """A home whose ledger is open, for the operator's plane."""

    paths: HomePaths
    keys: HomeKeys
    ledger: SqliteLedger
    settings: Settings
    signer: Signer
    clock: Clock


@asynccontextmanager
async def open_home(environment: ProcessEnvironment) -> AsyncIterator[OpenHome]:
    """Give the home at `environment.home`, and close its ledger at the end.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED | LEDGER_UNAVAILABLE | SIGNER_UNAVAILABLE` for what an operator must put right.
    """
    paths = locate(environment)
    keys = load_keys(paths, environment)
    signer = signer_of(paths, environment)
    ledger = await SqliteLedger.open(
        paths.ledger, database_key=keys.database, home_key=keys.home, clock=wall_clock, sender=signer.address
    )
    try:
        settings = await ledger.settings()
        if settings is None:
            raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, "This home has no active settings: make a new one.")
        yield OpenHome(paths=paths, keys=keys, ledger=ledger, settings=settings, signer=signer, clock=wall_clock)
    finally:
        await ledger.close()


async def open_wallet(
    environment: ProcessEnvironment,
    *,
    build: Builder = build_payment,
    chains: Chains | None = None,
    signer: Signer | None = None,
) -> Wallet:
    """Return the home's wallet, ready to answer; recovery and settlement begin with `Wallet.start`.

    Args:
        signer: Signs in place of the home's own; of the same account, or it is refused.

    Raises:
        OwnerError: As `open_home`, and `CONFIG_UNAPPROVED` when `wallet.toml` is not what was approved.
    """
    paths = locate(environment)
    keys = load_keys(paths, environment)
    signer = signer_of(paths, environment) if signer is None else _of_this_home(paths, signer, "The given key")
    ledger = await SqliteLedger.open(
        paths.ledger, database_key=keys.database, home_key=keys.home, clock=wall_clock, sender=signer.address
    )
    try:
        settings = check_approved(paths, await ledger.settings())
        return _wallet(paths, ledger, settings, signer, build=build, chains=chains or chains_of(settings))
    except BaseException:
        await ledger.close()
        raise


def check_servable(environment: ProcessEnvironment) -> None:
    """Return when the home can be served, without opening it for work; errors as `open_wallet`."""
    from mcp_wallet.adapters.sqlite.glance import load_active_settings  # noqa: PLC0415

    paths = locate(environment)
    keys = load_keys(paths, environment)
    check_approved(paths, load_active_settings(paths.ledger, key=keys.database))
    signer_of(paths, environment)


def notary_of(paths: HomePaths, settings: Settings) -> Notary:
    """Return what signs the home's checkpoints; `OwnerError(LEDGER_UNAVAILABLE)` without the log key."""
    from mcp_wallet.adapters.log_key import LogKey  # noqa: PLC0415  cryptography

    key = LogKey(load_key(paths.log_key))
    return Notary(settings.origin, key.sign, key.public_key)


def anchors_of(paths: HomePaths) -> tuple[Anchor, ...]:
    """Return the places outside the home that keep its checkpoints."""
    from mcp_wallet.adapters.anchors.file import FileAnchor  # noqa: PLC0415

    return (FileAnchor(paths.checkpoints),)


def chains_of(settings: Settings) -> Chains:
    """Return the chains that the settings reach; each is made when it is first asked."""
    return Chains(_LazyChains(settings))


def signer_of(paths: HomePaths, environment: ProcessEnvironment) -> Signer:
    """Return the home's signer: the keystore, or the environment's key when it is of the same account.

    Raises:
        OwnerError: `SIGNER_UNAVAILABLE`.
    """
    from mcp_wallet.adapters.keystore import KeystoreSigner  # noqa: PLC0415

    if not environment.private_key:
        return KeystoreSigner(paths.keystore, load_password(paths, environment))
    from mcp_wallet.adapters.environment_key import EnvironmentSigner  # noqa: PLC0415

    return _of_this_home(paths, EnvironmentSigner(environment.private_key), "MCP_WALLET_PRIVATE_KEY")


def _of_this_home(paths: HomePaths, signer: Signer, named: str) -> Signer:
    """Return the signer when the home's keystore is of the same account; `OwnerError(SIGNER_UNAVAILABLE)`."""
    from mcp_wallet.adapters.keystore import KeystoreSigner  # noqa: PLC0415

    if signer.address != KeystoreSigner(paths.keystore, "").address:
        raise OwnerError(ReasonCode.SIGNER_UNAVAILABLE, f"{named} belongs to another account than this home's.")
    return signer


def _wallet(
    paths: HomePaths, ledger: SqliteLedger, settings: Settings, signer: Signer, *, build: Builder, chains: Chains
) -> Wallet:
    from mcp_wallet.adapters.lease import FileLease  # noqa: PLC0415

    notary, anchors = notary_of(paths, settings), anchors_of(paths)
    warm = _Warmth(signer, chains)

    async def check() -> None:
        warm.begin()
        notes = [(anchor.name, await anchor.newest()) for anchor in anchors]
        rollback = await check_rollback(await ledger.head(), ledger.root_at, notes, notary.verifier_key)
        if rollback is not None:
            ledger.halt(ReasonCode.ROLLBACK_DETECTED)
            payload = {"anchor": rollback.anchor, "kind": rollback.kind, "anchoredSize": str(rollback.anchored_size)}
            await ledger.record("rollback_detected", payload, actor=SYSTEM)

    return Wallet(
        ledger=ledger,
        recorder=ledger,
        chains=chains,
        signer=signer,
        settings=settings,
        notary=notary,
        anchoring=Anchoring(ledger, notary, anchors),
        lease=FileLease(paths.lease),
        clock=wall_clock,
        check=check,
        build=build,
        follow=chains.by_id.follow if isinstance(chains.by_id, _LazyChains) else lambda _: [],
    )


class _LazyChains(Mapping[ChainId, ChainPort]):
    """The chains by their ids; the adapter is imported with the first one that is used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[ChainId, ChainPort] = {}

    def follow(self, settings: Settings) -> list[ChainPort]:
        """Return the chains that these settings reach otherwise than before; they are made anew when next asked."""
        before, self._settings = self._settings, settings
        changed = [
            chain_id
            for chain_id in self._made
            if before.chains.get(chain_id) != settings.chains.get(chain_id) or before.registry != settings.registry
        ]
        return [self._made.pop(chain_id) for chain_id in changed]

    def __getitem__(self, chain_id: ChainId) -> ChainPort:
        if chain_id not in self._made:
            found, registry = self._settings.chains[chain_id], self._settings.registry
            from mcp_wallet.adapters.evm.chain import EvmChain  # noqa: PLC0415

            self._made[chain_id] = EvmChain(registry.chain(chain_id), found, registry)
        return self._made[chain_id]

    def __iter__(self) -> Iterator[ChainId]:
        return iter(self._settings.chains)

    def __len__(self) -> int:
        return len(self._settings.chains)


class _Warmth:
    """What the first payment will need, begun while nobody waits: the key unlocked, web3 imported."""

    def __init__(self, signer: Signer, chains: Chains) -> None:
        self._signer, self._chains = signer, chains
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Begin once; a failure is left to the payment that meets it."""
        if not self._tasks:
            parts = (self._signer, *self._chains.by_id.values())
            self._tasks = [asyncio.create_task(_warmed(part)) for part in parts]


async def _warmed(part: object) -> None:
    begin = getattr(part, "unlock", None) or getattr(part, "warm", None)
    if begin is not None:
        with contextlib.suppress(WalletError):
            await begin()
