"""`serve --dev`: a playground with a development chain of its own, set up behind the first call.

Without a folder everything is thrown away at the end. With one, home and trail stay; the chain does not, so that the
next start brings the wallet's account on the new chain to where the ledger left it.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mcp_wallet.control.environment import ProcessEnvironment
from mcp_wallet.control.home import load_password, locate
from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.identifiers import Address, checksum_address
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.payments.wallet import Wallet
from mcp_wallet.wiring.opening import open_home, open_wallet
from mcp_wallet.wiring.playground import USDC_UNITS, WEI, make_playground, playground_at

if TYPE_CHECKING:
    from mcp_wallet.devnet.client import Devnet

NOTES: Final = "playground.json"
RECENT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notes:
    """What the folder keeps beside the home; play money, so its keys may stand there."""

    node: str
    address: str
    verifier_key: str
    agent_key: str = field(repr=False)
    operator_token: str = field(repr=False)
    approver_token: str = field(repr=False)


class DevelopmentWallet:
    """A playground that is served: made or found again by `open`, gone or kept after `close`.

    Args:
        folder: Where it stays; None for a temporary one.
        announce: Told, a line at a time, what was set up.
    """

    def __init__(self, folder: Path | None, announce: Callable[[str], None]) -> None:
        """Set up nothing yet."""
        self._kept, self._announce = folder, announce
        self._folder: Path | None = None
        self._devnet: Devnet | None = None
        self._wallet: Wallet | None = None

    async def open(self) -> tuple[Wallet, str]:
        """Return the wallet and its agent's key.

        Raises:
            OwnerError: The `devnet` extra is missing, or the folder holds something else.
            OutsideError: The development chain did not start.
        """
        if self._folder is None:
            self._folder = self._kept or Path(tempfile.mkdtemp(prefix="mcp-wallet-dev-"))
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with _alone(self._folder):
            notes = await self._found(self._folder) or await self._made(self._folder)
        self._wallet = await open_wallet(_places(self._folder, notes))
        for line in _announcement(self._folder, notes, kept=self._kept is not None):
            self._announce(line)
        return self._wallet, notes.agent_key

    async def close(self) -> None:
        """Close the wallet, end the chain, and remove what was not to be kept."""
        try:
            if self._wallet is not None:
                await self._wallet.close()
            if self._devnet is not None:
                await self._devnet.stop()
        finally:
            if self._kept is None and self._folder is not None:
                await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _made(self, folder: Path) -> _Notes:
        """Make the playground; the chain starts while the keystore's libraries are imported."""
        from mcp_wallet.devnet.client import start_devnet  # noqa: PLC0415  the chain is an extra

        chain, _ = await asyncio.gather(start_devnet(), asyncio.to_thread(_import_key_libraries))
        self._devnet = chain
        made = await make_playground(folder, node=chain.url)
        notes = _Notes(
            node=chain.url,
            address=made.address,
            verifier_key=made.verifier_key,
            agent_key=made.agent_key,
            operator_token=made.operator_token,
            approver_token=made.approver_token,
        )
        _write(folder / NOTES, json.dumps(asdict(notes)))
        return notes

    async def _found(self, folder: Path) -> _Notes | None:
        """Return the playground that stands in the folder, on a chain that answers; None when there is none."""
        path = folder / NOTES
        if not path.exists():
            return None
        try:
            notes = _Notes(**json.loads(path.read_text("utf-8")))
        except (ValueError, TypeError) as problem:
            raise OwnerError(
                ReasonCode.CONFIG_UNAPPROVED, "The development folder holds something else: choose another one."
            ) from problem
        if not await _answers(notes.node):
            await self._renew_chain(folder, notes)
        return notes

    async def _renew_chain(self, folder: Path, notes: _Notes) -> None:
        """Start a new chain where the old one was, with the wallet funded and its nonce where the ledger has it."""
        from mcp_wallet.devnet.client import fund, start_devnet  # noqa: PLC0415

        self._devnet = await start_devnet(port=int(notes.node.rpartition(":")[2]))
        await fund(notes.node, notes.address, wei=WEI, usdc_units=USDC_UNITS)
        await _bring_nonce(_places(folder, notes), notes.node)


def _places(folder: Path, notes: _Notes) -> ProcessEnvironment:
    return replace(playground_at(folder), agent_key=notes.agent_key)


@contextlib.asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """Hold the folder while it is set up: several clients may start servers on it at once."""
    descriptor = os.open(folder / "setup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


async def _answers(node: str) -> bool:
    from mcp_wallet.devnet.client import rpc  # noqa: PLC0415

    try:
        return await rpc(node, "eth_chainId") is not None
    except OutsideError:
        return False


async def _bring_nonce(environment: ProcessEnvironment, node: str) -> None:
    """Send transfers of nothing to itself until the account's next nonce is the ledger's oldest open one."""
    from mcp_wallet.devnet import DevAccount  # noqa: PLC0415
    from mcp_wallet.devnet.client import spend_nonces  # noqa: PLC0415

    async with open_home(environment) as home:
        open_nonces = [r.nonce for r in await home.ledger.in_flight() if r.nonce is not None]
        used = [r.nonce for r in await home.ledger.payments(limit=RECENT) if r.nonce is not None]
        address = home.signer.address
        await home.ledger.watch_anew()
    target = min(open_nonces, default=max(used, default=-1) + 1)
    secret = await asyncio.to_thread(_secret_of, environment)
    await spend_nonces(node, DevAccount(address, secret), until=target)


def _secret_of(environment: ProcessEnvironment) -> str:
    from eth_account import Account  # noqa: PLC0415

    paths = locate(environment)
    key = Account.decrypt(json.loads(paths.keystore.read_text("utf-8")), load_password(paths, environment))
    return "0x" + bytes(key).hex()


def _import_key_libraries() -> None:
    import eth_account  # noqa: F401, PLC0415  half a second, off the event loop


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _announcement(folder: Path, notes: _Notes, *, kept: bool) -> list[str]:
    where = f"kept in {folder}" if kept else "thrown away at the end"
    address = checksum_address(Address(notes.address))
    lines = [
        f"playground: wallet {address} on a development chain at {notes.node}, {where}",
        "playground: 10 ETH and 1000000 USDC; alice and bob can be paid, mallory is in the address book only",
        "playground: 1000 USDC a refund, above 500 with a person's approval, 50000 a day; limits on calls are relaxed",
    ]
    places = f"MCP_WALLET_HOME={folder}/home MCP_WALLET_KEYS_DIR={folder}/keys MCP_WALLET_STATE_DIR={folder}/state"
    token = f"MCP_WALLET_OPERATOR_TOKEN={notes.approver_token}"
    lines.append(f"playground: nora approves what waits, in a terminal: env {places} {token} mcp-wallet approvals list")
    if kept:
        lines.append(f"playground: the owner's token for all other commands stands in {NOTES}, beside home and keys")
    return lines
