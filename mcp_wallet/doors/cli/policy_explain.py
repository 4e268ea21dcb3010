"""`policy explain`: a decision in words, and what would change it."""

from pathlib import Path
from typing import Annotated

import typer

from mcp_wallet.core.explain import Explanation
from mcp_wallet.core.intent import PaymentRequest
from mcp_wallet.doors.cli.output import Answer, AsJson, finish
from mcp_wallet.doors.cli.session import operator_session


def explain(
    file: Annotated[Path | None, typer.Argument(help="A policy to decide by; the one in force when left out.")] = None,
    *,
    to: Annotated[str, typer.Option(help="Payee name or address.")],
    amount: Annotated[str, typer.Option(help="Whole units, such as 50.00.")],
    asset: Annotated[str, typer.Option(help="Symbol or CAIP-19 id.")] = "usdc",
    chain: Annotated[str, typer.Option(help="Chain name or CAIP-2 id; the policy's only one when left out.")] = "",
    agent: Annotated[str, typer.Option(help="Whose payment; the only agent when left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say how a payment would be decided now, why, and what would change it; nothing is recorded or reserved."""

    async def command() -> Answer:
        from mcp_wallet.control.candidates import candidate_of  # noqa: PLC0415
        from mcp_wallet.control.explaining import explain_payment  # noqa: PLC0415

        request = PaymentRequest(to=to, amount=amount, asset=asset, chain=chain)
        async with operator_session() as session:
            home = session.home
            active = await home.ledger.active_policies()
            found = await explain_payment(
                home.ledger,
                home.settings,
                request,
                sender=home.signer.address,
                agent_id=agent,
                candidate=None if file is None else candidate_of(file, home.settings, active).policy,
            )
        return _answer(found)

    finish(command, as_json=as_json)


def add_explain_command(commands: typer.Typer) -> None:
    """Add the command to the group of policy commands."""
    commands.command("explain")(explain)


def _answer(found: Explanation) -> Answer:
    decision = found.decision
    because = [f"  {reason.code}: {words}" for reason, words in zip(decision.reasons, found.reasons, strict=True)]
    changes = ["What would change it:", *(f"  {change}" for change in found.changes)] if found.changes else []
    return Answer(
        document={
            "decision": str(decision.outcome),
            "reasons": [
                {**reason.document(), "words": words}
                for reason, words in zip(decision.reasons, found.reasons, strict=True)
            ],
            "remaining": {limit: str(units) for limit, units in decision.remaining.items()},
            "changes": list(found.changes),
            "agentSees": list(found.agent_sees),
            "policy": {"id": decision.policy_id, "version": decision.policy_version, "hash": decision.policy_hash},
        },
        lines=[
            f"{decision.outcome} by policy {decision.policy_id}, version {decision.policy_version}:",
            *because,
            *changes,
            "What the agent is told:",
            *(f"  {line}" for line in found.agent_sees),
        ],
    )
