"""People: proposed with their token, which is shown once and opens nothing until somebody else agreed."""

import base64
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.contract.changes import Change, ChangeKind, NewChange
from mcp_wallet.control.justification import optional_reason
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.credentials import SECRET_BYTES, credential_hash, format_operator_token
from mcp_wallet.core.diff import Classification
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Role, format_roles
from mcp_wallet.ports import Actor

_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made; it is nowhere else."""

    token_id: str
    hash: str = field(repr=False)
    text: str = field(repr=False)


def new_token(home_key: bytes) -> NewToken:
    """Return a fresh operator token and what the ledger keeps of it."""
    token_id = base64.b32encode(secrets.token_bytes(5)).decode("ascii").lower()
    text = format_operator_token(token_id, secrets.token_bytes(SECRET_BYTES))
    return NewToken(token_id=token_id, hash=credential_hash(home_key, text), text=text)


def check_operator_name(name: str) -> str:
    """Return the name; `CallerError(INTENT_INVALID)` when it cannot name a person."""
    if _NAME.fullmatch(name) is None:
        sentence = f"`{name[:64]}` is not an operator's name: write lower-case letters, digits, `.`, `_` and `-`."
        raise CallerError(ReasonCode.INTENT_INVALID, sentence)
    return name


async def propose_operator(
    ledger: ControlLedger, *, name: str, roles: frozenset[Role], home_key: bytes, reason: str, actor: Actor
) -> tuple[Change, str]:
    """Return the proposal and the token of a further operator; in a solo home it is in force with it.

    Raises:
        CallerError: `INTENT_INVALID` for a name that is none or taken; `PERMISSION_DENIED`.
    """
    check_operator_name(name)
    token = new_token(home_key)
    named: dict[str, Json] = {"roles": format_roles(roles), "tokenId": token.token_id}
    change = NewChange(
        kind=ChangeKind.OPERATOR,
        subject=name,
        body={**named, "tokenHash": token.hash},
        detail=named,
        classification=Classification.LOOSENS,
        reason=optional_reason(reason),
    )
    return await ledger.propose(change, actor=actor), token.text


async def propose_roles(
    ledger: ControlLedger, *, name: str, roles: frozenset[Role], reason: str, actor: Actor
) -> Change:
    """Return the proposal to give somebody other roles; each such change counts as loosening."""
    named: dict[str, Json] = {"roles": format_roles(roles)}
    change = NewChange(
        kind=ChangeKind.ROLES,
        subject=name,
        body=named,
        detail=named,
        classification=Classification.LOOSENS,
        reason=optional_reason(reason),
    )
    return await ledger.propose(change, actor=actor)
