"""Who sits at the command line: the operator's token opens the control plane, from the environment or a prompt."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import typer

from mcp_wallet.control.environment import ProcessEnvironment, read_environment
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Verb
from mcp_wallet.ports import Actor
from mcp_wallet.wiring.opening import OpenHome, open_home


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An operator in an open home."""

    home: OpenHome
    actor: Actor


@asynccontextmanager
async def operator_session(verb: Verb = Verb.SEE) -> AsyncIterator[Session]:
    """Give the home to whoever holds an operator's token and may do this.

    Raises:
        CallerError: `CREDENTIAL_INVALID` without a valid token, a failed try stands on the trail;
            `CREDENTIAL_REVOKED`; `PERMISSION_DENIED`.
        OwnerError: As `wiring.opening.open_home`.
    """
    environment = read_environment(os.environ)
    token = _token(environment)
    async with open_home(environment) as home:
        yield Session(home=home, actor=await home.ledger.operator(token, verb))


def _token(environment: ProcessEnvironment) -> str:
    if environment.operator_token:
        return environment.operator_token
    if not sys.stdin.isatty():
        sentence = "This command needs an operator token: set MCP_WALLET_OPERATOR_TOKEN, or run it in a terminal."
        raise CallerError(ReasonCode.CREDENTIAL_INVALID, sentence)
    token: str = typer.prompt("Operator token", hide_input=True, err=True)
    return token.strip()
