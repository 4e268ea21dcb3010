"""Stages for tests that run real server processes on a real chain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mcp_wallet.demo.holding_node import HoldingNode
from mcp_wallet.demo.stage import Stage
from mcp_wallet.devnet.client import start_devnet
from mcp_wallet.wiring.playground import POLICY, make_playground

FIFTY_PAYMENTS = POLICY.replace('maxAmount: "50000.00"', 'maxAmount: "100.00"')
"""A day's budget for exactly fifty payments of two dollars."""


@asynccontextmanager
async def a_stage(folder: Path, *, policy: str = POLICY, plaintext: bool = False) -> AsyncIterator[Stage]:
    """Give a playground on a chain of its own, behind a node that can hold a transaction back."""
    async with await start_devnet() as chain, HoldingNode(chain.url) as node:
        playground = await make_playground(folder, node=node.url, policy=policy, plaintext=plaintext)
        yield Stage(folder, playground, chain.url, node)


async def assert_clean_trail(stage: Stage) -> None:
    """The trail verifies with the published key, and every decision is decided again alike."""
    code, report = await stage.operator("audit", "verify", "--vkey", stage.playground.verifier_key)
    assert (code, report["ok"]) == (0, True), report
    code, report = await stage.operator("audit", "replay")
    assert (code, report["ok"]) == (0, True), report
