"""Power loss at any moment: nothing that was acknowledged is lost, nothing is damaged; the long form is the module."""

import pytest

pytest.importorskip("apsw", reason="needs the `dev` extra")

from tests.faults.powerloss import Sync, lose_power, record

POINTS = 150


async def test_no_moment_of_power_loss_loses_what_was_acknowledged(tmp_path):
    life, after = tmp_path / "life", tmp_path / "after"
    life.mkdir()
    after.mkdir()
    log = await record(life, 20)
    assert lose_power(log, points=POINTS, seed=1, folder=after) == {"ok": POINTS}

    careless = [operation for operation in log if operation != Sync("ledger.db-wal")]
    found = lose_power(careless, points=POINTS, seed=1, folder=after)
    assert found["acknowledged events are lost"] > 0, "a disk that does not synchronise is found out"
