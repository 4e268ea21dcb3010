"""What the process's environment may say: where things are, and secrets that belong in no file. Never a money setting.

A name of ours that is not in the list refuses to start: a misspelt one would otherwise be silently without effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.reasons import ReasonCode

PREFIX: Final = "MCP_WALLET_"
NAMES: Final[Mapping[str, str]] = {
    "MCP_WALLET_HOME": "the home; `~/.mcp-wallet` when it is not set",
    "MCP_WALLET_KEYS_DIR": "the folder with the keys that open the home; outside the home",
    "MCP_WALLET_STATE_DIR": "the folder with the checkpoints, outside the home",
    "MCP_WALLET_AGENT_KEY": "the agent's key, for `serve`: who asks",
    "MCP_WALLET_OPERATOR_TOKEN": "the operator's token, for commands; a server refuses to start beside it",
    "MCP_WALLET_PRIVATE_KEY": "the account's key instead of the keystore; for development",
    "MCP_WALLET_KEYSTORE_PASSWORD": "the keystore's password, instead of its file",
    "MCP_WALLET_DATABASE_KEY": "the ledger's key, 64 hex digits, instead of its file",
}
"""Every name of ours, and what it is for the documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEnvironment:
    """The environment, read once. Empty text means that a name is not set.

    Args:
        home: The wallet's home.
        keys_dir: Where the home's keys are; None for the organisation's folder under `config_base`.
        state_dir: Where its checkpoints are; None for the organisation's folder under `state_base`.
    """

    home: Path
    keys_dir: Path | None = None
    state_dir: Path | None = None
    config_base: Path = Path("~/.config")
    state_base: Path = Path("~/.local/state")
    agent_key: str = field(default="", repr=False)
    operator_token: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    keystore_password: str = field(default="", repr=False)
    database_key: str = field(default="", repr=False)


def read_environment(environ: Mapping[str, str]) -> ProcessEnvironment:
    """Return what the environment says.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED` for a name that begins with `MCP_WALLET_` and is none of ours.
    """
    for name in environ:
        if name.startswith(PREFIX) and name not in NAMES:
            raise _unknown(name)
    return ProcessEnvironment(
        home=_path(environ.get("MCP_WALLET_HOME")) or Path("~/.mcp-wallet").expanduser(),
        keys_dir=_path(environ.get("MCP_WALLET_KEYS_DIR")),
        state_dir=_path(environ.get("MCP_WALLET_STATE_DIR")),
        config_base=_path(environ.get("XDG_CONFIG_HOME")) or Path("~/.config").expanduser(),
        state_base=_path(environ.get("XDG_STATE_HOME")) or Path("~/.local/state").expanduser(),
        agent_key=environ.get("MCP_WALLET_AGENT_KEY", ""),
        operator_token=environ.get("MCP_WALLET_OPERATOR_TOKEN", ""),
        private_key=environ.get("MCP_WALLET_PRIVATE_KEY", ""),
        keystore_password=environ.get("MCP_WALLET_KEYSTORE_PASSWORD", ""),
        database_key=environ.get("MCP_WALLET_DATABASE_KEY", ""),
    )


def read_agent_environment(environ: Mapping[str, str]) -> ProcessEnvironment:
    """Return what the environment of a process says that serves agents; its home is an absolute path.

    Raises:
        OwnerError: As `read_environment`, and `CONFIG_UNAPPROVED` beside an operator's token, which would hand the
            control plane to the agent's process.
    """
    environment = read_environment(environ)
    if environment.operator_token:
        raise OwnerError(
            ReasonCode.CONFIG_UNAPPROVED,
            "MCP_WALLET_OPERATOR_TOKEN must not stand in an agent's environment: unset it, then start again.",
        )
    return replace(environment, home=environment.home.absolute())


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _unknown(name: str) -> OwnerError:
    from difflib import get_close_matches  # noqa: PLC0415  only for a sentence that ends the start

    near = get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
    return OwnerError(
        ReasonCode.CONFIG_UNAPPROVED,
        f"`{name[:80]}` is not a setting of mcp-wallet: the nearest name is `{near}`; correct it or unset it.",
    )
