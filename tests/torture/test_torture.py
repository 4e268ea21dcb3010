"""The short form of `make torture`: a few kills of real servers, judged as the long form judges."""

import pytest

from tests.promises import promise
from tests.torture.rounds import torture

pytest.importorskip("eth", reason="needs the `devnet` extra")


@promise("exactly-once")
async def test_servers_that_are_killed_again_and_again_pay_each_once_and_lose_nothing(tmp_path):
    summary = await torture(tmp_path, seed=1, seconds=600, rounds_max=4)
    assert summary.ok, summary.document()
    assert summary.kills >= 4
