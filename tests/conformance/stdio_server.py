"""A server over a fake desk on the real stdio, for the tests: `python -m tests.conformance.stdio_server MOOD`.

Moods: `kind`; `faulty` (every verb fails with a secret); `noisy` (prints to stdout); `stuck` (a payment never ends).
"""

import asyncio
import os
import sys

from mcp_wallet.contract.desk import Desk, Progress
from mcp_wallet.contract.results import PayeeList, PaymentResult
from mcp_wallet.contract.tools import parse_toolsets
from mcp_wallet.core.intent import PaymentRequest
from mcp_wallet.doors.mcp.server import build_server
from mcp_wallet.doors.mcp.stdio import run_stdio
from tests.fakes import FakeDesk

SECRET = "sk-live-0123456789"


class NoisyDesk(FakeDesk):
    async def list_payees(self) -> PayeeList:
        print("a stray print")  # noqa: T201  what must not reach the protocol
        os.system("echo a stray child; cat")
        return await super().list_payees()


class StuckDesk(FakeDesk):
    async def send_payment(self, request: PaymentRequest, *, progress: Progress | None = None) -> PaymentResult:
        if progress is not None:
            await progress("waiting for ever")
        await asyncio.Event().wait()
        return await super().send_payment(request)


DESKS = {
    "kind": FakeDesk,
    "faulty": lambda: FakeDesk(error=RuntimeError(SECRET)),
    "noisy": NoisyDesk,
    "stuck": StuckDesk,
}


def main() -> None:
    async def open_desk() -> Desk:
        return DESKS[sys.argv[1]]()

    async def close() -> None:
        await asyncio.sleep(0)
        print("the desk is closed", file=sys.stderr)  # noqa: T201  what the tests look for

    run_stdio(build_server(open_desk, read_only=False, toolsets=parse_toolsets(""), version="1", aclose=close))


if __name__ == "__main__":
    main()
