"""`python -m tests.torture --seed 1 --minutes 10`; the last line of stdout is the summary as JSON."""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from tests.torture.rounds import torture


def main() -> int:
    """Torture a new home; return 1 when anything was found."""
    parser = argparse.ArgumentParser(description="Kill real servers again and again, and judge what is left.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=1_000_000, help="Stop after so many rounds.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        summary = asyncio.run(
            torture(Path(folder), seed=options.seed, seconds=60 * options.minutes, rounds_max=options.rounds)
        )
    print(json.dumps(summary.document()))
    return 0 if summary.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
