"""The command line: one file per group of commands, put together here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mcp_wallet import __version__
from mcp_wallet.doors.cli.agent import agent_commands
from mcp_wallet.doors.cli.agent_keys import add_key_commands
from mcp_wallet.doors.cli.approvals import approval_commands
from mcp_wallet.doors.cli.audit import audit_commands
from mcp_wallet.doors.cli.client_config import client_config_command
from mcp_wallet.doors.cli.config import config_commands, wallet_commands
from mcp_wallet.doors.cli.demo import demo_command
from mcp_wallet.doors.cli.doctor import doctor_command
from mcp_wallet.doors.cli.examples import examples_command
from mcp_wallet.doors.cli.freeze import kill_command, unkill_command
from mcp_wallet.doors.cli.init import init_command
from mcp_wallet.doors.cli.operator import operator_commands
from mcp_wallet.doors.cli.payee import payee_commands
from mcp_wallet.doors.cli.payments import budget_command, payment_commands
from mcp_wallet.doors.cli.policy import policy_commands
from mcp_wallet.doors.cli.policy_changes import add_change_commands
from mcp_wallet.doors.cli.policy_explain import add_explain_command
from mcp_wallet.doors.cli.policy_foresight import add_foresight_commands
from mcp_wallet.doors.cli.serve import DEV_HELP, DEV_HOME_HELP, READ_ONLY_HELP, TOOLSETS_HELP, serve

app = typer.Typer(
    name="mcp-wallet",
    help="A policy-gated, non-custodial wallet for AI agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _top(
    *, version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and stop.")] = False
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command("serve")
def _serve(
    *,
    read_only: Annotated[bool, typer.Option("--read-only", help=READ_ONLY_HELP)] = False,
    toolsets: Annotated[str, typer.Option(help=TOOLSETS_HELP)] = "",
    dev: Annotated[bool, typer.Option("--dev", help=DEV_HELP)] = False,
    dev_home: Annotated[Path | None, typer.Option(metavar="DIR", help=DEV_HOME_HELP)] = None,
) -> None:
    """Serve the wallet's tools to an MCP client over stdin and stdout."""
    arguments = ["--read-only"] if read_only else []
    arguments += ["--dev"] if dev else []
    arguments += ["--toolsets", toolsets] if toolsets else []
    arguments += ["--dev-home", str(dev_home)] if dev_home else []
    raise typer.Exit(serve(arguments))


app.command("demo")(demo_command)
app.command("examples")(examples_command)
app.command("init")(init_command)
app.command("doctor")(doctor_command)
app.command("client-config")(client_config_command)
app.command("kill")(kill_command)
app.command("unkill")(unkill_command)
app.command("budget")(budget_command)
app.add_typer(config_commands, name="config")
app.add_typer(wallet_commands, name="wallet")
add_key_commands(agent_commands)
app.add_typer(agent_commands, name="agent")
app.add_typer(operator_commands, name="operator")
app.add_typer(approval_commands, name="approvals")
app.add_typer(payee_commands, name="payee")
add_change_commands(policy_commands)
add_explain_command(policy_commands)
add_foresight_commands(policy_commands)
app.add_typer(policy_commands, name="policy")
app.add_typer(payment_commands, name="payments")
app.add_typer(audit_commands, name="audit")


def run(arguments: Sequence[str]) -> NoReturn:
    """Run one command; the process ends with its exit code (2 for a usage error)."""
    app(list(arguments), prog_name="mcp-wallet")
    raise SystemExit(0)
