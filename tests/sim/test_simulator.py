"""The simulator finds nothing in the product, and each checker finds the bug that was planted for it.

A longer history is `python -m tests.sim --seed N --steps 100000`.
"""

import asyncio
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import cast

import pytest

from mcp_wallet.adapters.sqlite.connection import Raw
from mcp_wallet.adapters.sqlite.execution import Execution
from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.adapters.sqlite.trail import append_event
from mcp_wallet.contract.events import EventType, decision_payload
from mcp_wallet.core.settlement_gate import check_settlement
from mcp_wallet.core.windows import Windows
from tests.promises import promise
from tests.sim.server import StraightConnection
from tests.sim.world import MEMORY, Recipe, simulate

MILD = partial(Recipe, lies=False, deep=False)
STEPS = 4_000


@pytest.fixture
def folder():
    """An empty folder, in memory where there is one."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


@promise("exactly-once")
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_breaks_whatever_breaks(folder, seed):
    verdict = simulate(MILD(seed=seed, steps=STEPS), folder)
    assert verdict.ok, verdict.document()
    assert verdict.crashes > 5
    assert verdict.paid > 5


def test_one_seed_is_one_history(folder):
    histories = set()
    for name in ("one", "two"):
        (folder / name).mkdir()
        histories.add(simulate(MILD(seed=7, steps=2_000), folder / name).history)
    assert len(histories) == 1


# ------------------------------------------------------------------------------------------------------ planted bugs


def found_by(folder, *, steps=STEPS, **changes):
    """Return which checkers complain of a world with a planted bug."""
    verdict = simulate(MILD(seed=1, steps=steps, **changes), folder)
    return {name for name, found in verdict.violations.items() if found}


class Heedless(SqliteLedger):
    """Has no guards: every call is another payment."""

    async def decide_and_reserve(self, draft, facts):
        return await super().decide_and_reserve(draft._replace(reference="", idempotency_key=""), facts)

    async def preview(self, draft):
        return await super().preview(draft._replace(reference="", idempotency_key=""))


def test_a_wallet_without_guards_is_found_paying_twice(folder, monkeypatch):
    monkeypatch.setattr("mcp_wallet.core.books.Books.same_content", lambda *_, **__: None)
    assert "double_payments" in found_by(folder, ledger=Heedless)


def test_a_window_that_forgets_what_is_held_is_found_over_its_limit(folder, monkeypatch):
    honest = Windows.use
    monkeypatch.setattr(Windows, "use", lambda *a: honest(*a)._replace(spent_units=0, held_units=0))
    assert found_by(folder, steps=4 * STEPS) == {"limits_exceeded"}


class ForgettingConnection(StraightConnection):
    """A disk that says "written" and has not: now and then the file of a moment ago comes back at a crash."""

    def __init__(self, raw, server):
        super().__init__(raw, server)
        self._conn = cast("Raw", _Forgetting(raw, server))


class _Forgetting:
    def __init__(self, raw, server):
        self._raw, self._server, self._random = raw, server, Random(1)

    def __getattr__(self, name):
        return getattr(self._raw, name)

    def execute(self, sql, *values):
        if sql == "COMMIT" and self._random.random() < 0.05:
            asyncio.get_running_loop().call_later(0.2, self._server.crash)
            return self._raw.execute("ROLLBACK")
        return self._raw.execute(sql, *values)


def test_an_answer_that_was_not_durable_is_found_lost(folder, monkeypatch):
    monkeypatch.setattr("tests.sim.server.StraightConnection", ForgettingConnection)
    assert "lost_acknowledgements" in found_by(folder)


def test_a_step_that_is_not_on_the_trail_is_found_missing(folder, monkeypatch):
    def silent(state, kind, *rest, **named):
        return 0 if kind is EventType.TRANSACTION_SIGNED else append_event(state, kind, *rest, **named)

    monkeypatch.setattr("mcp_wallet.adapters.sqlite.execution.append_event", silent)
    assert found_by(folder) == {"trail_incomplete"}


def test_a_decision_that_is_written_down_otherwise_is_found_by_the_replay(folder, monkeypatch):
    def other(**named):
        return decision_payload(**named) | {"plaintext": False}

    monkeypatch.setattr("mcp_wallet.adapters.sqlite.gate.decision_payload", other)
    assert found_by(folder) == {"trail_errors"}


def test_a_nonce_that_is_left_out_is_found_as_unrest(folder, monkeypatch):
    honest = Execution._next_nonce
    monkeypatch.setattr(Execution, "_next_nonce", lambda self, row: (n := honest(self, row)) + (n == 2))
    assert "unrest" in found_by(folder, steps=1_000)


def test_a_revert_that_is_called_paid_is_found(folder, monkeypatch):
    def hopeful(**named):
        return replace(check_settlement(**named), outcome="confirmed")

    monkeypatch.setattr("mcp_wallet.payments.watch.check_settlement", hopeful)
    assert "effects" in found_by(folder, reverts=300)
