"""Forks servers that have imported everything already: a new process in milliseconds, so that many can be killed.

`python -m tests.torture.zygote FD`: for each pair of pipe ends that comes over the socket, one server that serves over
them; its process id goes back as four bytes. The environment is the home's.
"""

import importlib
import os
import signal
import socket
import sys

MODULES = (
    "mcp_wallet.doors.cli.serve",
    "mcp_wallet.doors.mcp.server",
    "mcp_wallet.doors.mcp.stdio",
    "mcp_wallet.wiring.opening",
    "mcp_wallet.adapters.evm.chain",
    "mcp_wallet.adapters.anchors.file",
    "mcp_wallet.adapters.keystore",
    "mcp_wallet.adapters.log_key",
    "eth_account",
    "web3",
)


def main() -> None:
    """Import, then fork on demand until the socket closes."""
    for name in MODULES:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        while True:
            _, pipes, _, _ = socket.recv_fds(channel, 1, 2)
            if not pipes:
                return
            child = os.fork()
            if child == 0:
                os._exit(_serve(channel, *pipes))
            for pipe in pipes:
                os.close(pipe)
            channel.sendall(child.to_bytes(4, "big"))


def _serve(channel: socket.socket, stdin: int, stdout: int) -> int:
    from mcp_wallet.doors.cli.serve import serve  # noqa: PLC0415  imported before the fork

    channel.close()
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    os.close(stdin)
    os.close(stdout)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return serve([])


if __name__ == "__main__":
    main()
