"""`init`: a new home from flags; a terminal is asked for a chain when none is named."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from mcp_wallet.control.creation import OWNER, ChainOptions, CreatedHome, HomeOptions
from mcp_wallet.control.environment import read_environment
from mcp_wallet.control.home import load_secret
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.identifiers import checksum_address
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import ALL_ROLES, Role, parse_roles
from mcp_wallet.doors.cli.output import Answer, AsJson, finish
from mcp_wallet.wiring.creation import create_home

MAX_FEE_WEI: Final = 5 * 10**15
"""0.005 of the native coin: a token transfer at 80 gwei."""
MAX_FEE_PER_DAY_WEI: Final = 10**17
SECRET_HEX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    chains: dict[str, tuple[str, ...]]
    max_fee_wei: int
    max_fee_per_day_wei: int
    trust_single_node: bool

    def options(self) -> dict[str, ChainOptions]:
        """Return the chains as a new home takes them."""
        return {
            name: ChainOptions(
                nodes=nodes,
                max_fee_wei=self.max_fee_wei,
                max_fee_per_day_wei=self.max_fee_per_day_wei,
                trust_single_node=True if self.trust_single_node else None,
            )
            for name, nodes in self.chains.items()
        }


_Solo: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--solo/--four-eyes",
        help="One person may do everything, and each event says so; or what loosens needs two people.",
    ),
]
_People: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A person of the first hour, NAME or NAME=ROLE,ROLE; two of them make a home of four eyes.",
    ),
]
_Nodes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS",
        help="Its node's address; repeat for more. With several chains: one each, or NAME=ADDRESS.",
    ),
]


def init_command(
    *,
    solo: _Solo = None,
    operator: _People = None,
    plaintext: Annotated[bool, typer.Option("--plaintext", help="Do not encrypt the ledger.")] = False,
    environment: Annotated[str, typer.Option(help="Part of every agent key.")] = "production",
    org_id: Annotated[str, typer.Option(help="The organisation's name; a random one when left out.")] = "",
    chain: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A chain's short name; repeat for more.")
    ] = None,
    node: _Nodes = None,
    max_fee_wei: Annotated[
        int, typer.Option(min=1, metavar="WEI", help="Most that one transaction's fee may be.")
    ] = MAX_FEE_WEI,
    max_fee_per_day_wei: Annotated[
        int, typer.Option(min=1, metavar="WEI", help="Most that all fees of a day may be, per chain.")
    ] = MAX_FEE_PER_DAY_WEI,
    trust_single_node: Annotated[
        bool, typer.Option("--trust-single-node", help="One node's word frees budget.")
    ] = False,
    import_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file (0600) with the account's private key, 64 hex digits.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a home: settings, keys, an encrypted ledger, a keystore, and its first operators (`owner` alone else)."""
    chosen = _Chosen(
        chains=_chains(chain or [], node or [], may_ask=not as_json),
        max_fee_wei=max_fee_wei,
        max_fee_per_day_wei=max_fee_per_day_wei,
        trust_single_node=trust_single_node,
    )

    async def command() -> Answer:
        where, founders = read_environment(os.environ), _founders(operator or [])
        options = HomeOptions(
            where=where,
            org_id=org_id,
            environment=environment,
            solo=len(founders) == 1 if solo is None else solo,
            founders=founders,
            plaintext=plaintext,
            chains=chosen.options(),
            secret=_imported(import_key_file),
        )
        return _answer(await create_home(options), chosen)

    finish(command, as_json=as_json)


def _founders(named: list[str]) -> dict[str, frozenset[Role]]:
    """Return the first people and their roles: all of them where none are named."""
    found = {}
    for entry in named or [OWNER]:
        name, separator, roles = entry.partition("=")
        found[name] = parse_roles(roles) if separator else ALL_ROLES
    return found


def _chains(chains: list[str], nodes: list[str], *, may_ask: bool) -> dict[str, tuple[str, ...]]:
    """Return each chain's nodes: those that name their chain first, the others in order."""
    if not chains and not nodes and may_ask and sys.stdin.isatty():
        chains = [typer.prompt("Chain (ethereum, base, arbitrum, optimism, polygon, …)", err=True)]
        nodes = [typer.prompt("Address of a node of it", err=True)]
    found: dict[str, list[str]] = {name: [] for name in chains}
    bare = []
    for node in nodes:
        name, separator, address = node.partition("=")
        if separator and name in found:
            found[name].append(address)
        else:
            bare.append(node)
    for name, node in _paired(found, bare):
        found[name].append(node)
    if missing := [name for name, own in found.items() if not own]:
        raise typer.BadParameter(f"Chain {missing[0]} has no --node.")
    return {name: tuple(own) for name, own in found.items()}


def _paired(found: dict[str, list[str]], bare: list[str]) -> list[tuple[str, str]]:
    """Return a chain for each node that names none: the only chain, or one each in order."""
    if len(found) == 1:
        return [(name, node) for name in found for node in bare]
    waiting = [name for name, own in found.items() if not own] if bare else []
    if len(waiting) != len(bare):
        raise typer.BadParameter("Give one --node for each --chain, or name them: --node base=https://…")
    return list(zip(waiting, bare, strict=True))


def _imported(path: Path | None) -> bytes | None:
    if path is None:
        return None
    text = load_secret(path, ReasonCode.SIGNER_UNAVAILABLE).removeprefix("0x")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) * 2 != SECRET_HEX:
        raise OwnerError(ReasonCode.SIGNER_UNAVAILABLE, "The key file must hold 64 hex digits and nothing else.")
    return secret


def _answer(made: CreatedHome, chosen: _Chosen) -> Answer:
    address = checksum_address(made.address)
    return Answer(
        document={
            "home": str(made.home),
            "keysDir": str(made.paths.keys),
            "stateDir": str(made.paths.state),
            "orgId": made.settings.org_id,
            "environment": made.settings.environment,
            "solo": made.settings.solo,
            "plaintext": made.settings.plaintext,
            "address": address,
            "operator": next(iter(made.operator_tokens)),
            "operatorToken": made.operator_token,
            "operators": [{"name": name, "token": token} for name, token in made.operator_tokens.items()],
            "verifierKey": made.verifier_key,
            "chains": list(chosen.chains),
            "settingsHash": made.settings.hash,
        },
        lines=[
            f"Home            {made.home}",
            f"Keys            {made.paths.keys}  (back them up apart from the home)",
            f"Checkpoints     {made.paths.state}",
            f"Address         {address}  (the same on every EVM chain; fund it)",
            "",
            "Verifier key    publish it elsewhere: with it anyone can check this wallet's trail",
            f"  {made.verifier_key}",
            *_token_lines(made),
            "",
            *_notices(made, chosen),
            "Next:",
            "  export MCP_WALLET_OPERATOR_TOKEN=…",
            "  mcp-wallet payee add NAME ADDRESS",
            "  mcp-wallet agent add NAME --policy FILE",
            "  unset MCP_WALLET_OPERATOR_TOKEN; mcp-wallet doctor",
            "  mcp-wallet client-config claude-desktop   (or claude-code, cursor, vscode)",
        ],
    )


def _token_lines(made: CreatedHome) -> list[str]:
    return [
        line
        for name, token in made.operator_tokens.items()
        for line in (f"Operator token  of `{name}`, shown this once; keep it where no agent can read it", f"  {token}")
    ]


def _notices(made: CreatedHome, chosen: _Chosen) -> list[str]:
    notices = []
    if made.settings.solo:
        notices.append("This home is solo: one person proposes and approves, and each event says so.")
    if made.settings.plaintext:
        notices.append("The ledger is PLAINTEXT: whoever copies the file reads it.")
    if not chosen.chains:
        notices.append("No chain is configured: this home decides, but it cannot pay.")
    else:
        fees = f"{chosen.max_fee_wei} wei a transaction, {chosen.max_fee_per_day_wei} wei a day"
        notices.append(f"Fees are capped at {fees} on each of {', '.join(chosen.chains)}.")
    return [*notices, ""]
