"""web3's HTTP provider with a transport of our own.

The one that ships takes a lock that all providers of the process share, in a thread, for every request: a request that
is cancelled at that moment leaves it locked, and every later one hangs (ApeWorX/web3.py issue 3867). It also sends
again by itself, follows redirects, reads answers of any length, and parses them with a parser that deep nesting can
crash. This one does none of that, and keeps connections.
"""

import logging
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from web3 import AsyncHTTPProvider
    from web3.types import RPCEndpoint, RPCResponse

TIMEOUT_SECONDS: Final = 10
KEEPALIVE_SECONDS: Final = 4
"""Shorter than any server's, so that a reused connection is never one that the node has just closed."""
ANSWER_BYTES_MAX: Final = 8 << 20


def open_provider(url: str) -> "AsyncHTTPProvider":
    """Return a provider for the address; its session belongs to the running event loop. Nothing is sent yet.

    Its `make_request` raises `OSError`, `aiohttp.ClientError` or `ValueError`, and never retries.
    """
    from aiohttp import ClientPayloadError, ClientSession, ClientTimeout, TCPConnector  # noqa: PLC0415  start-up time
    from web3 import AsyncHTTPProvider  # noqa: PLC0415  start-up time

    logging.getLogger(AsyncHTTPProvider.__module__).setLevel(logging.WARNING)
    # Below that level, web3 logs whole answers, and addresses with the access keys in them.
    session = ClientSession(
        connector=TCPConnector(keepalive_timeout=KEEPALIVE_SECONDS), timeout=ClientTimeout(total=TIMEOUT_SECONDS)
    )

    class Provider(AsyncHTTPProvider):
        async def make_request(self, method: "RPCEndpoint", params: Any) -> "RPCResponse":
            body = self.encode_rpc_request(method, params)
            headers = {"Content-Type": "application/json"}
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                response.raise_for_status()
                answer = bytearray()
                async for chunk in response.content.iter_any():
                    answer += chunk
                    if len(answer) > ANSWER_BYTES_MAX:
                        raise ClientPayloadError("the answer is too long")
            reply: RPCResponse = orjson.loads(answer)
            return reply

        async def disconnect(self) -> None:
            await session.close()

    provider = Provider(url, exception_retry_configuration=None)
    provider.global_ccip_read_enabled = False
    return provider
