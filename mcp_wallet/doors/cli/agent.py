"""`agent add|list`: who may ask, by which policy."""

from pathlib import Path
from typing import Annotated

import typer

from mcp_wallet.contract.changes import change_document
from mcp_wallet.contract.events import rfc3339
from mcp_wallet.control.agents import NewAgent, add_agent
from mcp_wallet.control.policy_files import PolicyFile, load_policy_file
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.settings import Settings
from mcp_wallet.doors.cli.changes import Why, change_line, next_steps
from mcp_wallet.doors.cli.output import Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import operator_session
from mcp_wallet.ports import AgentRow

POLICY_SUFFIXES = (".yaml", ".yml", ".json")

agent_commands = typer.Typer(no_args_is_help=True, help="Agents: who may ask, by which policy.")


@agent_commands.command("add")
def add(
    name: Annotated[str, typer.Argument(help="The agent's name.")],
    *,
    policy: Annotated[str, typer.Option(help="The id of an active policy, or the policy file that binds it.")],
    category: Annotated[str, typer.Option(help="What its payments are for where the payee does not say.")] = "",
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """Propose an agent and print its API key once; in a solo home agent and policy file are in force at once."""

    async def command() -> Answer:
        async with operator_session(Verb.PROPOSE) as session:
            home = session.home
            named = _file_of(policy, home.settings)
            made = await add_agent(
                home.ledger,
                home.settings,
                name=name,
                policy=named or policy,
                category=category,
                home_key=home.keys.home,
                actor=session.actor,
                reason=reason,
            )
            warnings = named.warnings if named else ()
            return Answer(document=_new_document(made), lines=[*_new_lines(made), *warnings])

    finish(command, as_json=as_json)


@agent_commands.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """Show all agents; keys are known by their ids only."""

    async def command() -> Answer:
        async with operator_session() as session:
            agents = await session.home.ledger.agents()
            rows = [
                [a.agent_id, a.policy_id, a.category, a.key_id, rfc3339(a.created_at_ms), "no" if a.disabled else "yes"]
                for a in agents
            ]
            headings = ("agent", "policy", "category", "key", "created", "enabled")
            return Answer(
                document={"agents": [_document(a) for a in agents]},
                table=Table(headings=headings, rows=rows),
                after=() if rows else ["No agents yet: `mcp-wallet agent add NAME --policy FILE`."],
            )

    finish(command, as_json=as_json)


def _file_of(policy: str, settings: Settings) -> PolicyFile | None:
    """Return the policy of a file, None when the text names no file."""
    path = Path(policy)
    if path.suffix not in POLICY_SUFFIXES and not path.exists():
        return None
    return load_policy_file(path, registry=settings.registry, book=settings.book)


def _document(row: AgentRow) -> Json:
    return {
        "agentId": row.agent_id,
        "policyId": row.policy_id,
        "policyHash": row.policy_hash,
        "category": row.category,
        "keyId": row.key_id,
        "createdAt": rfc3339(row.created_at_ms),
        "expiresAt": "" if row.expires_at_ms is None else rfc3339(row.expires_at_ms),
        "disabled": row.disabled,
        "owner": row.owner,
    }


def _new_document(made: NewAgent) -> Json:
    return {
        "agentId": made.agent_id,
        "policyId": made.policy_id,
        "policyHash": made.policy_hash,
        "keyId": made.key_id,
        "apiKey": made.api_key,
        "alsoBound": list(made.bound_before),
        **change_document(made.change),
    }


def _new_lines(made: NewAgent) -> list[str]:
    if made.in_force:
        standing = [f"Agent {made.agent_id} is bound to policy {made.policy_id} ({made.policy_hash})."]
    else:
        standing = [change_line(made.change), *next_steps(made.change)]
    lines = [
        *standing,
        "Its API key, shown this once:" if made.in_force else "Its API key, shown this once; dead until then:",
        f"  {made.api_key}",
        "Give it to the agent's MCP client as MCP_WALLET_AGENT_KEY: `mcp-wallet client-config` prints the whole block.",
    ]
    if made.bound_before:
        lines.append(f"The policy's new version binds {', '.join(made.bound_before)} as well.")
    return lines
