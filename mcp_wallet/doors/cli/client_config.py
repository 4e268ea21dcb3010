"""`client-config`: the block by which an MCP client starts this wallet, and where it goes."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mcp_wallet.control.clients import (
    CARRIED,
    CLIENTS,
    KEY_NAME,
    PLACEHOLDER,
    ClientName,
    ServerEntry,
    configuration,
    shell_command,
)
from mcp_wallet.control.environment import read_environment
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.credentials import parse_api_key
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.cli.output import Answer, AsJson, finish
from mcp_wallet.doors.cli.serve import DEV_HELP, DEV_HOME_HELP, READ_ONLY_HELP

SERVER_NAME = "wallet"
NO_KEY = f"No agent key was given: replace {PLACEHOLDER} by what `mcp-wallet agent add NAME --policy FILE` prints."
NO_HOME = "There is no wallet in that home yet: `mcp-wallet init` makes one; with --dev none is needed."
WITH_KEY = "The block holds the agent's key: whoever reads it can ask for payments within that agent's policy."
WINDOWS = "mcp-wallet runs on Linux and macOS; on Windows inside WSL, with a client that runs there too."
PROJECT = "for one project; it is shared with the repository, so put no key into it"


def client_config_command(
    client: Annotated[ClientName, typer.Argument(help="Which client.", show_default=False)],
    *,
    name: Annotated[str, typer.Option(help="What the client calls the server.")] = SERVER_NAME,
    agent_key: Annotated[
        str, typer.Option(help="The agent's key; else MCP_WALLET_AGENT_KEY, else a terminal is asked.")
    ] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help=READ_ONLY_HELP)] = False,
    dev: Annotated[bool, typer.Option("--dev", help=DEV_HELP)] = False,
    dev_home: Annotated[Path | None, typer.Option(metavar="DIR", help=DEV_HOME_HELP)] = None,
    as_json: AsJson = False,
) -> None:
    """Print the configuration with which an MCP client starts this wallet, and where to put it."""
    if dev_home is not None and not dev:
        raise typer.BadParameter("--dev-home goes with --dev.")

    async def command() -> Answer:
        flags = [*(["--read-only"] if read_only else []), *_playground(dev=dev, folder=dev_home)]
        environ, notes = ({}, []) if dev else _home(agent_key, may_ask=not as_json)
        program = entry_point()
        entry = ServerEntry(command=program[0], arguments=[*program[1:], "serve", *flags], environ=environ)
        return _answer(client, name, entry, notes)

    finish(command, as_json=as_json)


def entry_point() -> list[str]:
    """Return the absolute command of the installed program: its script, else this interpreter with the module."""
    beside = Path(sys.executable).parent / "mcp-wallet"
    for script in (Path(sys.argv[0]).absolute(), beside):
        if script.name == "mcp-wallet" and script.is_file() and os.access(script, os.X_OK):
            return [str(script)]
    return [sys.executable, "-m", "mcp_wallet"]


def _playground(*, dev: bool, folder: Path | None) -> list[str]:
    flags = ["--dev"] if dev else []
    return [*flags, "--dev-home", str(folder.expanduser().absolute())] if folder is not None else flags


def _home(agent_key: str, *, may_ask: bool) -> tuple[dict[str, str], list[str]]:
    """Return the environment of a server of this home, and what is still to be done for it."""
    environment = read_environment(os.environ)
    key = agent_key or environment.agent_key or (_asked() if may_ask and sys.stdin.isatty() else "")
    if key and parse_api_key(key) is None:
        sentence = "That is no agent key: copy the whole line `mw_…` that `mcp-wallet agent add` printed."
        raise CallerError(ReasonCode.CREDENTIAL_INVALID, sentence)
    home = environment.home.expanduser().absolute()
    environ = {"MCP_WALLET_HOME": str(home)}
    environ |= {name: str(Path(os.environ[name]).expanduser().absolute()) for name in CARRIED if os.environ.get(name)}
    environ[KEY_NAME] = key or PLACEHOLDER
    notes = [] if (home / "wallet.toml").is_file() else [NO_HOME]
    return environ, [*notes, WITH_KEY if key else NO_KEY]


def _asked() -> str:
    text: str = typer.prompt(
        "Agent key (empty: a placeholder)", default="", hide_input=True, show_default=False, err=True
    )
    return text.strip()


def _answer(which: ClientName, name: str, entry: ServerEntry, notes: list[str]) -> Answer:
    client = CLIENTS[which]
    block = configuration(client, name, entry)
    adding = shell_command(which, name, entry)
    document: dict[str, Json] = {
        "client": str(which),
        "files": dict(client.files),
        "projectFile": client.project,
        "configuration": block,
        "command": adding,
        "notes": [*notes, client.then, WINDOWS],
    }
    places = [f"  {system:9}{path}" for system, path in client.files.items()]
    places += [f"  or       {client.project} ({PROJECT})"] if client.project else []
    return Answer(
        document=document,
        lines=[
            f"{client.title} reads:",
            *places,
            "",
            f'Put this there; where the file has "{client.table}" already, add "{name}" to it:',
            "",
            *json.dumps(block, indent=2, ensure_ascii=False).splitlines(),
            "",
            *([f"Or let it do that itself: {adding}", ""] if adding else []),
            *notes,
            client.then,
            WINDOWS,
        ],
    )
