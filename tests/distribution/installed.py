"""What was installed from the wheel, and running it where nothing of ours is near."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

EPOCH = 1_700_000_000
"""SOURCE_DATE_EPOCH of the tests' builds."""


@dataclass(frozen=True)
class Installed:
    """An environment that has the wheel, and an empty folder to be in."""

    python: Path
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """Return an environment that leads to nothing of ours but what was installed."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MCP_", "VIRTUAL"))}
        return bare | {"HOME": str(self.folder), "PATH": f"{self.python.parent}:{os.defpath}"}

    @property
    def command(self) -> str:
        """Return the console script."""
        return str(self.python.parent / "mcp-wallet")

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program in the empty folder."""
        return subprocess.run(
            command, check=False, cwd=self.folder, env=self.environ, capture_output=True, text=True
        )  # fmt: skip
