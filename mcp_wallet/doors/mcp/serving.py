"""What a server serves: the home of its environment, or a playground. Light: nothing heavy is imported before.

`create_server` is the public way to a server object, for programs that start servers themselves, such as `mcp dev`.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mcp_wallet import __version__
from mcp_wallet.contract.tools import parse_toolsets
from mcp_wallet.control.environment import ProcessEnvironment, read_agent_environment

if TYPE_CHECKING:
    from mcp_wallet.contract.desk import Desk
    from mcp_wallet.doors.mcp.server import WalletServer
    from mcp_wallet.payments.wallet import Wallet
    from mcp_wallet.wiring.development import DevelopmentWallet

SHARED_ACCOUNT: Final = "key and agent share this account: an agent that can run commands can spend past the policy"


class ServedHome:
    """The home of this environment: opened by the first call, recovered and settled after it."""

    def __init__(self, environment: ProcessEnvironment) -> None:
        """Open nothing yet."""
        self._environment = environment
        self._wallet: Wallet | None = None

    def check(self) -> None:
        """Refuse with `OwnerError` what may not be served: no home, or settings that were not approved."""
        from mcp_wallet.wiring.opening import check_servable  # noqa: PLC0415

        check_servable(self._environment)

    async def open_desk(self) -> "Desk":
        """Return the agent's desk."""
        from mcp_wallet.wiring.opening import open_wallet  # noqa: PLC0415

        self._wallet = await open_wallet(self._environment)
        return self._wallet.desk(self._environment.agent_key)

    async def close(self) -> None:
        """Let go of what was opened."""
        if self._wallet is not None:
            await self._wallet.close()


class ServedPlayground:
    """A playground of its own: set up behind the first call, while the client shakes hands."""

    def __init__(self, folder: Path | None, announce: Callable[[str], None]) -> None:
        """Make nothing yet; `announce` is told, a line at a time, what was set up."""
        self._folder, self._announce = folder, announce
        self._made: DevelopmentWallet | None = None

    def check(self) -> None:
        """A playground is always approved."""

    async def open_desk(self) -> "Desk":
        """Return the agent's desk."""
        from mcp_wallet.wiring.development import DevelopmentWallet  # noqa: PLC0415

        if self._made is not None:
            await self._made.close()
        self._made = DevelopmentWallet(self._folder, self._announce)
        wallet, agent_key = await self._made.open()
        return wallet.desk(agent_key)

    async def close(self) -> None:
        """Let go of what was opened."""
        if self._made is not None:
            await self._made.close()


def create_server(*, dev: bool = False, read_only: bool = False, toolsets: str = "") -> "WalletServer":
    """Return the server that `mcp-wallet serve` runs; `run()` serves it over stdin and stdout.

    Args:
        dev: Serve a throw-away playground instead of the environment's home.
        read_only: Offer no tool that can pay.
        toolsets: Groups of tools to offer, comma-separated; empty for all.

    Raises:
        CallerError: A toolset that does not exist.
        OwnerError: What `serve` refuses: no home, unapproved settings, an operator's token in the environment.
    """
    environment = read_agent_environment(os.environ)
    home = ServedPlayground(None, _say) if dev else ServedHome(environment)
    home.check()
    _say(SHARED_ACCOUNT)
    return server_of(home, read_only=read_only, toolsets=parse_toolsets(toolsets))


def server_of(home: ServedHome | ServedPlayground, *, read_only: bool, toolsets: frozenset[str]) -> "WalletServer":
    """Return a server of this home or playground, which is opened when it serves."""
    from mcp_wallet.doors.mcp.server import build_server  # noqa: PLC0415  the SDK is most of the start

    return build_server(
        home.open_desk, read_only=read_only, toolsets=toolsets, version=__version__, aclose=home.close
    )  # fmt: skip


def _say(line: str) -> None:
    print(f"mcp-wallet: {line}", file=sys.stderr, flush=True)
