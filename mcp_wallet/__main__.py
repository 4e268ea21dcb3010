"""`mcp-wallet`: one command line; `serve` takes a short way, because a client waits for its first answer."""

import sys


def main() -> int:
    """Run the command of `sys.argv` and return its exit code."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"] and not {"--help", "-h"} & set(arguments):
        from mcp_wallet.doors.cli.serve import serve  # noqa: PLC0415  without typer, rich and the operator's plane

        return serve(arguments[1:])
    from mcp_wallet.doors.cli.app import run  # noqa: PLC0415

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
