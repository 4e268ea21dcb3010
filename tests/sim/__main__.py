"""`python -m tests.sim --seed 1 --steps 100000`: one seed's history, judged; the last line is JSON."""

import argparse
import json
import logging
import tempfile
from pathlib import Path

from tests.sim.world import MEMORY, Recipe, simulate


def main() -> int:
    """Run the seeds and print one line for each; return 1 when a checker found something."""
    parser = argparse.ArgumentParser(description="Run the seeded simulator.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="So many seeds, from --seed on.")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--mild", action="store_true", help="No lies, and no confirmed block is taken away.")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    bad = 0
    for seed in range(options.seed, options.seed + options.seeds):
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            wild = not options.mild
            recipe = Recipe(seed=seed, steps=options.steps, reverts=30 * wild, lies=wild, deep=wild)
            verdict = simulate(recipe, Path(folder))
        print(json.dumps(verdict.document()), flush=True)
        bad += not verdict.ok
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
