"""Making a home out of this machine's adapters. Callable without any door: the demo and the tests do."""

from pathlib import Path

from mcp_wallet.control import creation
from mcp_wallet.control.creation import CreatedHome, HomeOptions
from mcp_wallet.core.identifiers import Address
from mcp_wallet.payments.anchoring import Notary
from mcp_wallet.ports import Clock, Head


async def create_home(options: HomeOptions, *, clock: Clock | None = None) -> CreatedHome:
    """Return a new home on disk; see `control.creation.create_home` for what is refused."""
    from mcp_wallet.adapters.clock import wall_clock  # noqa: PLC0415  each part is imported where it is made

    return await creation.create_home(options, _Parts(clock or wall_clock))


class _Parts:
    """`control.creation.HomeParts` on SQLite, a keystore file and an anchor file."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def create_ledger(
        self, path: Path, *, database_key: bytes | None, home_key: bytes, sender: Address
    ) -> creation.NewLedger:
        from mcp_wallet.adapters.sqlite.ledger import SqliteLedger  # noqa: PLC0415

        return await SqliteLedger.create(
            path, database_key=database_key, home_key=home_key, clock=self._clock, sender=sender
        )

    async def create_keystore(self, path: Path, password: str, *, secret: bytes | None, scrypt_n: int) -> Address:
        from mcp_wallet.adapters.keystore import create_keystore  # noqa: PLC0415

        return await create_keystore(path, password, secret=secret, scrypt_n=scrypt_n)

    def verifier_key(self, seed: bytes, origin: str) -> str:
        return _notary(seed, origin).verifier_key

    async def anchor(self, checkpoints: Path, *, origin: str, seed: bytes, head: Head) -> None:
        from mcp_wallet.adapters.anchors.file import FileAnchor  # noqa: PLC0415

        await FileAnchor(checkpoints).publish(_notary(seed, origin).note(head))


def _notary(seed: bytes, origin: str) -> Notary:
    from mcp_wallet.adapters.log_key import LogKey  # noqa: PLC0415

    key = LogKey(seed)
    return Notary(origin, key.sign, key.public_key)
