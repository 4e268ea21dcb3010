"""Homes for tests: real files in a temporary folder, with a cheap keystore."""

from pathlib import Path
from typing import Any

from mcp_wallet.control.creation import ChainOptions, CreatedHome, HomeOptions
from mcp_wallet.control.environment import ProcessEnvironment
from mcp_wallet.wiring.creation import create_home

LOCAL = {"local": ChainOptions(nodes=("http://127.0.0.1:1",), max_fee_wei=10**16, max_fee_per_day_wei=10**17)}


def environment_in(folder: Path, **secrets: Any) -> ProcessEnvironment:
    """Return where a test home is: everything under one folder."""
    return ProcessEnvironment(home=folder / "home", keys_dir=folder / "keys", state_dir=folder / "state", **secrets)


async def make_home(folder: Path, **options: Any) -> CreatedHome:
    """Return a new plaintext home unless told otherwise."""
    given: dict[str, Any] = {
        "where": environment_in(folder),
        "org_id": "org_test",
        "plaintext": True,
        "chains": LOCAL,
        "scrypt_n": 2,
    }
    return await create_home(HomeOptions(**(given | options)))
