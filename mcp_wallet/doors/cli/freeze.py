"""`kill` and `unkill`: the switch that stops decisions and hand-overs to the signer, in every process."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mcp_wallet.contract.changes import change_document
from mcp_wallet.control.freezes import Target, kill, targets_of, unkill
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.roles import Verb
from mcp_wallet.doors.cli.changes import change_line, next_steps
from mcp_wallet.doors.cli.output import REFUSED, Answer, AsJson, finish
from mcp_wallet.doors.cli.session import Session, operator_session

AgentName = Annotated[str, typer.Option("--agent", help="One agent.")]
AssetName = Annotated[str, typer.Option("--asset", help="One asset: a symbol (on every chain) or a CAIP-19 id.")]
ChainName = Annotated[str, typer.Option("--chain", help="One chain.")]
Recipient = Annotated[str, typer.Option("--recipient", help="One recipient: a payee's name or an address.")]
Everything = Annotated[bool, typer.Option("--all", help="Everything.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands on the trail.")]


def kill_command(
    *,
    reason: Reason,
    agent: AgentName = "",
    asset: AssetName = "",
    chain: ChainName = "",
    recipient: Recipient = "",
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Stop payments: nothing that begins after this command returned proceeds."""

    async def command() -> Answer:
        async with operator_session(Verb.STOP) as session:
            targets = await _targets(session, everything, agent, asset, chain, recipient)
            await kill(session.home.ledger, targets, reason=reason, actor=session.actor)
            return Answer(
                document={"frozen": _documents(targets), "reason": reason},
                lines=[
                    *(f"Frozen: {_name(t)}" for t in targets),
                    "No decision and no hand-over to the signer proceeds. What is signed already may still be mined.",
                    "To release it: mcp-wallet unkill, with the same names and a reason.",
                ],
            )

    finish(command, as_json=as_json)


def unkill_command(
    *,
    reason: Reason,
    agent: AgentName = "",
    asset: AssetName = "",
    chain: ChainName = "",
    recipient: Recipient = "",
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Release what was stopped, by the same names; unless the home is solo, another person approves first."""

    async def command() -> Answer:
        async with operator_session(Verb.APPROVE) as session:
            targets = await _targets(session, everything, agent, asset, chain, recipient)
            changes = await unkill(session.home.ledger, targets, reason=reason, actor=session.actor)
            still = await session.home.ledger.freezes()
            frozen = {(kind, value) for kind, value, _ in still}
            named = [t for t in targets if any(c.subject == _name(t) for c in changes)]
            released = [t for t in named if (t.kind, t.value) not in frozen]
            lines = [f"Released: {_name(t)}" for t in released]
            waiting = [c for c in changes if c.is_open]
            lines += [line for c in waiting for line in (change_line(c), *next_steps(c))]
            lines = lines or ["Nothing was frozen by these names."]
            return Answer(
                document={
                    "released": _documents(released),
                    "proposed": [change_document(c) for c in waiting],
                    "stillFrozen": [{"kind": kind, "value": value, "reason": why} for kind, value, why in still],
                },
                lines=[*lines, *(f"Still frozen: {_name(Target(kind, value))} ({why})" for kind, value, why in still)],
                code=0 if released or waiting else REFUSED,
            )

    finish(command, as_json=as_json)


async def _targets(  # noqa: PLR0917  the options in their order
    session: Session,
    everything: bool,  # noqa: FBT001
    agent: str,
    asset: str,
    chain: str,
    recipient: str,
) -> list[Target]:
    agents = tuple(row.agent_id for row in await session.home.ledger.agents())
    return targets_of(
        session.home.settings,
        agents,
        everything=everything,
        agent=agent,
        asset=asset,
        chain=chain,
        recipient=recipient,
    )


def _documents(targets: Sequence[Target]) -> list[Json]:
    return [{"kind": t.kind, "value": t.value} for t in targets]


def _name(target: Target) -> str:
    return f"{target.kind} {target.value}".strip()
