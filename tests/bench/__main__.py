"""`make bench`: measure, write `bench.json`, exit 1 when a row misses its bar."""

import asyncio
import json
import platform
import sys
from pathlib import Path

from tests.bench.durable import durable
from tests.bench.figures import Row
from tests.bench.gate import gate_pure
from tests.bench.serving import first_answer, mcp_overhead


def main() -> int:
    """Run every benchmark and print a table."""
    rows = [*gate_pure(), *asyncio.run(durable()), first_answer(), mcp_overhead()]
    machine = f"{platform.machine()} {platform.system()} Python {platform.python_version()}"
    Path("bench.json").write_text(json.dumps({"machine": machine, "rows": [r.document() for r in rows]}, indent=1))
    for row in rows:
        print(_line(row))
    return 0 if all(row.ok for row in rows) else 1


def _line(row: Row) -> str:
    bar = ">=" if row.higher_is_better else "<="
    verdict = "ok" if row.ok else "MISSED"
    figures = f"{row.figure:>10.1f} {row.unit:<12} floor {row.floor:>10.1f}"
    return f"{row.id:<18} {figures}   ratio {row.ratio:6.2f} {bar} {row.bar:<5} {verdict}"


if __name__ == "__main__":
    sys.exit(main())
