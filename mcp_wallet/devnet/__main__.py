"""`python -m mcp_wallet.devnet`: serve the development chain until SIGTERM, SIGINT or, if asked, the end of stdin.

One line of JSON on stdout says that it is ready: `{"url": …, "chainId": 31337, "usdc": "0x…"}`.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import threading

from mcp_wallet.devnet import DEV_CHAIN_NUMBER, DEV_USDC_ADDRESS


def main() -> int:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m mcp_wallet.devnet", description="A development chain.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes any free one")
    parser.add_argument("--no-automine", action="store_true", help="make blocks only when `evm_mine` asks for one")
    parser.add_argument("--token", action="store_true", help="deploy the test dollar")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when stdin ends: with the parent")
    options = parser.parse_args()
    asyncio.run(_serve(options))
    return 0


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if options.until_stdin_closes:
        threading.Thread(target=_wait_for_end, args=(loop, stop), daemon=True).start()

    from mcp_wallet.devnet.node import DevNode  # noqa: PLC0415  py-evm takes most of a second; stdin is watched already
    from mcp_wallet.devnet.server import DevServer  # noqa: PLC0415
    from mcp_wallet.devnet.token import deploy_token  # noqa: PLC0415

    node = DevNode()
    if options.token:
        deploy_token(node)
    node.automine = not options.no_automine
    server = DevServer(node)
    url = await server.start(options.port)
    ready = {"url": url, "chainId": DEV_CHAIN_NUMBER, "usdc": DEV_USDC_ADDRESS if options.token else None}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await server.stop()


def _wait_for_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    sys.exit(main())
