"""`mcp-wallet demo`: set the stage, play the story, tell it, and answer with an exit code."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from mcp_wallet.demo.holding_node import HoldingNode
from mcp_wallet.demo.stage import Stage
from mcp_wallet.demo.story import Told, play
from mcp_wallet.devnet.client import start_devnet
from mcp_wallet.wiring.playground import make_playground


def run_demo(*, as_json: bool) -> int:
    """Play the demo; return 0 only if each outcome was the expected one."""
    console = Console(stderr=as_json, highlight=False)
    told = perform(console)
    if as_json:
        json.dump({"steps": [step.document() for step in told], "ok": went_well(told)}, sys.stdout)
        sys.stdout.write("\n")
    else:
        close(console, told)
    return 0 if went_well(told) else 1


def perform(console: Console, *, secret: bytes | None = None) -> list[Told]:
    """Play the whole story on a console; return its steps.

    Args:
        secret: The key of the wallet's account; a fresh one when None.
    """
    told: list[Told] = []
    asyncio.run(_play(told, console, secret))
    return told


def went_well(told: list[Told]) -> bool:
    """Return whether every outcome was the expected one, and there was any."""
    return bool(told) and all(step.ok for step in told)


def close(console: Console, told: list[Told]) -> None:
    """Tell how it went, and what to do next."""
    if went_well(told):
        console.print(
            f"\n[bold green]All {len(told)} steps went as they must.[/bold green] "
            "The chain moved by exactly the decided units.\n"
            "Next: `mcp-wallet client-config claude-desktop --dev` gives your agent such a wallet, "
            "`mcp-wallet init` makes a real one."
        )
    else:
        bad = sum(not step.ok for step in told)
        console.print(f"\n[bold red]{bad} of {len(told)} steps went otherwise.[/bold red]")


async def _play(told: list[Told], console: Console, secret: bytes | None) -> None:
    def tell(step: Told) -> None:
        told.append(step)
        _show(console, len(told), step)

    console.print("[bold]An agent with a wallet[/bold], a development chain and play money. Setting the stage …\n")
    with tempfile.TemporaryDirectory(prefix="mcp-wallet-demo-") as folder:
        async with await start_devnet() as chain, HoldingNode(chain.url) as node:
            playground = await make_playground(Path(folder), node=node.url, secret=secret)
            console.print(
                "Policy: USDC only, to alice and bob only, at most 1000.00 a payment and 50000.00 a day.\n"
                f"Wallet {playground.address}, one million test dollars, key never leaves this machine.\n"
            )
            await play(Stage(Path(folder), playground, chain.url, node), tell)


def _show(console: Console, number: int, step: Told) -> None:
    mark, style = ("✔", "green") if step.ok else ("✘", "red")
    console.print(f"[{style}]{mark}[/{style}] {number:>2}  [bold]{step.name}[/bold]")
    _line(console, step.did, "default")
    _line(console, f"→ {step.got}", style)
    if not step.ok:
        _line(console, f"expected {step.expected}", "red")
    if step.said:
        _line(console, f"“{step.said}”", "dim")


def _line(console: Console, text: str, style: str) -> None:
    """Print text as data, wrapped within its column."""
    console.print(Padding(Text(text, style=style), (0, 0, 0, 6)))
