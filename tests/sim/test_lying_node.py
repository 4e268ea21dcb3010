"""One of two nodes lies from the first block to the last: nobody is paid twice, and nothing else breaks either."""

import tempfile
from pathlib import Path

import pytest

from tests.promises import promise
from tests.sim.node import Lie
from tests.sim.world import MEMORY, Recipe, simulate


@promise("exactly-once")
@pytest.mark.parametrize("node", [0, 1])
@pytest.mark.parametrize("lie", [lie for lie in Lie if lie is not Lie.NONE])
def test_one_lying_node_makes_nobody_pay_twice(lie, node):
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        recipe = Recipe(seed=3, steps=700, liar=node, lie=lie, lies=False, deep=False, deaths=100, reverts=100)
        verdict = simulate(recipe, Path(folder))
    assert verdict.ok, verdict.document()
    assert verdict.told, "somebody was answered"
