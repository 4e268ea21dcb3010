"""`python -m mcp_wallet.doors.docs [--check]`: write the generated pages, or name those that are stale (exit 1)."""

import argparse
import sys
from pathlib import Path

from mcp_wallet.doors.docs.pages import pages_of, stale_pages, write_pages


def main(arguments: list[str]) -> int:
    """Write or check the pages of the checkout in this folder; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m mcp_wallet.doors.docs", description="The generated documents.")
    parser.add_argument("--check", action="store_true", help="Write nothing; exit 1 when a page is stale.")
    check, root = parser.parse_args(arguments).check, Path.cwd()
    if not (root / "pyproject.toml").is_file():
        print("Run it in the folder of the checkout: there is no pyproject.toml here.", file=sys.stderr)
        return 2
    pages = pages_of(root)
    stale = stale_pages(root, pages)
    for name in stale:
        print(f"{name} is stale: run `make docs` and commit it." if check else f"{name} is written.")
    if not check:
        write_pages(root, pages)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
