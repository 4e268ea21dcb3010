"""A candidate that cannot answer is told as an error, and the next decision is taken again all the same."""

import dataclasses
from pathlib import Path
from typing import Any

from mcp_wallet.adapters.sqlite.audit_reader import SqliteTrail
from mcp_wallet.control.backtest import backtest
from mcp_wallet.control.retrial import Retrial
from mcp_wallet.control.shadow import Shadow
from tests.trails import decide
from tests.worlds import LedgerWorld, ledger_world


async def decided(folder: Path) -> LedgerWorld:
    world = await ledger_world(folder / "ledger.db")
    for reference in ("r-1", "r-2"):
        await decide(world, reference)
    await world.ledger.close()
    return world


async def test_a_candidate_that_cannot_answer_is_recorded_as_such(tmp_path: Path):
    world = await decided(tmp_path)
    nothing: Any = None
    broken = dataclasses.replace(world.policy, cooldown_ms=nothing)
    shadow = Shadow(Retrial(broken, world.settings), since=0)
    trail = SqliteTrail(world.path, key=None)
    found = shadow.said_since(trail)
    assert [retried.pair for retried in found] == [("ALLOW", "ERROR"), ("ALLOW", "ERROR")]
    event = shadow.event_of(found[0])
    assert (event["candidateDecision"], event["reasons"], event["enforced"]) == ("ERROR", [], False)
    assert shadow.said_since(trail) == []
    trail.close()


async def test_progress_is_told_to_the_last_event(tmp_path: Path):
    world = await decided(tmp_path)
    trail, seen = SqliteTrail(world.path, key=None), []
    report = backtest(
        trail, world.policy, world.settings, from_ms=None, to_ms=None, progress=lambda *found: seen.append(found)
    )
    assert (report.decisions, report.unchanged) == (2, 2)
    assert seen[-1] == (trail.size(), trail.size())
    trail.close()
