"""Running the command line in this process, on a home of the test's own."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from mcp_wallet.control.creation import CreatedHome
from mcp_wallet.doors.cli.app import app
from tests.unit.control.homes import make_home

ALICE = "0xa11ce00000000000000000000000000000000001"
BOB = "0xb0b0000000000000000000000000000000000002"
POLICY = """\
version: 1
id: refunds
rules:
  - id: refund-usdc
    effect: allow
    match: {chains: [local], assets: [usdc], recipients: [alice]}
    perTransaction: {max: "1000.00"}
limits:
  - {id: agent-day, match: {assets: [usdc]}, maxAmount: "5000.00", window: {rolling: 24h}, groupBy: [agent]}
"""


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Return stdout as JSON."""
        return json.loads(self.out)


@dataclass
class Commands:
    """Commands in an environment."""

    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: str = "", **environ: str) -> Ran:
        """Run one command."""
        found = CliRunner().invoke(app, list(arguments), input=stdin, env={**self.environ, **environ})
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Ran(found.exit_code, found.stdout, found.stderr)


def environ_of(folder: Path) -> dict[str, str]:
    """Return the names that put home, keys and checkpoints under one folder."""
    names = {"MCP_WALLET_HOME": "home", "MCP_WALLET_KEYS_DIR": "keys", "MCP_WALLET_STATE_DIR": "state"}
    return {name: str(folder / place) for name, place in names.items()}


def operator_at(folder: Path, **options: Any) -> tuple[Commands, CreatedHome]:
    """Return the commands of the owner of a new home."""
    made = asyncio.run(make_home(folder, **options))
    return Commands({**environ_of(folder), "MCP_WALLET_OPERATOR_TOKEN": made.operator_token}), made


def policy_in(folder: Path, text: str = POLICY) -> str:
    """Return the path of a policy file."""
    path = folder / "refunds.yaml"
    path.write_text(text)
    return str(path)
