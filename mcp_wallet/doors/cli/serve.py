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
from typing import Final

from mcp_wallet.contract.tools import TOOLSETS, parse_toolsets
from mcp_wallet.control.environment import read_agent_environment
from mcp_wallet.core.errors import CallerError, OutsideError, WalletError
from mcp_wallet.doors.mcp.serving import SHARED_ACCOUNT, ServedHome, ServedPlayground, server_of

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
        home = ServedPlayground(options.dev_home, _say) if options.dev else ServedHome(environment)
        home.check()
    except WalletError as error:
        _say(f"{error.code}: {error.message}")
        return _exit_code(error)
    _say(SHARED_ACCOUNT)
    server = server_of(home, read_only=options.read_only, toolsets=toolsets)
    gc.freeze()
    gc.enable()
    server.run()
    return 0


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
