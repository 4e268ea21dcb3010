"""`serve`: the MCP server over stdin and stdout. Light on purpose: a client waits for the first answer.

Refused before anything is served: an unknown name in the environment, an operator's token beside the agent, settings
that were not approved. Everything that a first answer does not need begins after it.
"""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mcp_wallet import __version__
from mcp_wallet.contract.tools import TOOLSETS, parse_toolsets
from mcp_wallet.control.environment import ProcessEnvironment, read_agent_environment
from mcp_wallet.core.errors import CallerError, OutsideError, WalletError

if TYPE_CHECKING:
    from mcp_wallet.contract.desk import Desk
    from mcp_wallet.payments.wallet import Wallet
    from mcp_wallet.wiring.development import DevelopmentWallet

SHARED_ACCOUNT: Final = "key and agent share this account: an agent that can run commands can spend past the policy"
READ_ONLY_HELP: Final = "Offer no tool that can pay."
TOOLSETS_HELP: Final = f"Offer only these groups of tools, comma-separated: {', '.join(TOOLSETS)}."
DEV_HELP: Final = "Play: a throw-away home, a development chain, the refund policy and a funded wallet."
DEV_HOME_HELP: Final = "With --dev: keep the playground in this folder, and find it again there."


def serve(arguments: Sequence[str]) -> int:
    """Serve until the client leaves; return the exit code."""
    options = _parser().parse_args(arguments)
    gc.disable()  # what is imported stays: looking through it again and again is a tenth of the start
    try:
        toolsets = parse_toolsets(options.toolsets)
        environment = read_agent_environment(os.environ)
        home = _Playground(options.dev_home) if options.dev else _Home(environment)
        home.check()
    except WalletError as error:
        _say(f"{error.code}: {error.message}")
        return _exit_code(error)
    _say(SHARED_ACCOUNT)
    from mcp_wallet.doors.mcp.server import build_server  # noqa: PLC0415  the SDK is most of the start
    from mcp_wallet.doors.mcp.stdio import run_stdio  # noqa: PLC0415

    server = build_server(
        home.open_desk, read_only=options.read_only, toolsets=toolsets, version=__version__, aclose=home.close
    )
    gc.freeze()
    gc.enable()
    run_stdio(server)
    return 0


class _Home:
    """The home of this environment: opened by the first call, recovered and settled after it."""

    def __init__(self, environment: ProcessEnvironment) -> None:
        self._environment = environment
        self._wallet: Wallet | None = None

    def check(self) -> None:
        from mcp_wallet.wiring.opening import check_servable  # noqa: PLC0415

        check_servable(self._environment)

    async def open_desk(self) -> "Desk":
        from mcp_wallet.wiring.opening import open_wallet  # noqa: PLC0415

        self._wallet = await open_wallet(self._environment)
        return self._wallet.desk(self._environment.agent_key)

    async def close(self) -> None:
        if self._wallet is not None:
            await self._wallet.close()


class _Playground:
    """A playground of its own: set up behind the first call, while the client shakes hands."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._made: DevelopmentWallet | None = None

    def check(self) -> None:
        """A playground is always approved."""

    async def open_desk(self) -> "Desk":
        from mcp_wallet.wiring.development import DevelopmentWallet  # noqa: PLC0415

        if self._made is not None:
            await self._made.close()
        self._made = DevelopmentWallet(self._folder, _say)
        wallet, agent_key = await self._made.open()
        return wallet.desk(agent_key)

    async def close(self) -> None:
        if self._made is not None:
            await self._made.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mcp-wallet serve", description="Serve the wallet's tools to an MCP client over stdin and stdout."
    )
    parser.add_argument("--read-only", action="store_true", help=READ_ONLY_HELP)
    parser.add_argument("--toolsets", default="", help=TOOLSETS_HELP)
    parser.add_argument("--dev", action="store_true", help=DEV_HELP)
    parser.add_argument("--dev-home", type=Path, metavar="DIR", help=DEV_HOME_HELP)
    return parser


def _exit_code(error: WalletError) -> int:
    if isinstance(error, CallerError):
        return 2
    return 4 if isinstance(error, OutsideError) else 1


def _say(line: str) -> None:
    print(f"mcp-wallet: {line}", file=sys.stderr, flush=True)
