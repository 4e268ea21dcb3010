"""`demo`: the whole story on a development chain."""

from typing import Annotated

import typer


def demo_command(*, json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """Play the main job as a story: a real server, a real MCP client, a development chain, play money."""
    from mcp_wallet.demo.run import run_demo  # noqa: PLC0415  its client and chain are no part of other commands

    raise typer.Exit(run_demo(as_json=json))
