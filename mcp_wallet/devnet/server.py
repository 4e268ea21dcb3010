"""JSON-RPC 2.0 over HTTP on 127.0.0.1: one request after the other, batches included."""

from typing import Final

import orjson
from aiohttp import web

from mcp_wallet.devnet.node import DevNode
from mcp_wallet.devnet.wire import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, Json, RpcError

HOST: Final = "127.0.0.1"
BODY_BYTES_MAX: Final = 16 << 20
SHUTDOWN_SECONDS: Final = 0.2


class DevServer:
    """Serves one node; handling blocks the event loop on purpose, which is what puts requests into a row."""

    def __init__(self, node: DevNode) -> None:
        """Take the node; nothing is opened yet."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/", self._handle)
        self._node = node
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)

    async def start(self, port: int) -> str:
        """Listen on the port, any free one for 0, and return the address."""
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        return f"http://{HOST}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close all connections."""
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        answer = answer_body(self._node, await request.read())
        return web.json_response(answer) if answer is not None else web.Response(status=204)


def answer_body(node: DevNode, body: bytes) -> Json:
    """Return the answer to a request body: an object, a list for a batch, None when nothing is to be answered."""
    try:
        request = orjson.loads(body)  # it bounds depth; under py-evm's recursion limit json overflows the C stack
    except ValueError:
        return _error(None, RpcError("parse error", PARSE_ERROR))
    if not isinstance(request, list):
        return _answer(node, request)
    if not request:
        return _error(None, RpcError("empty batch", INVALID_REQUEST))
    answers: list[Json] = [answer for answer in (_answer(node, one) for one in request) if answer is not None]
    return answers or None


def _answer(node: DevNode, request: object) -> Json:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return _error(None, RpcError("invalid request", INVALID_REQUEST))
    request_id = request.get("id")
    if request_id is not None and not isinstance(request_id, str | int | float):
        return _error(None, RpcError("invalid request", INVALID_REQUEST))
    params = request.get("params")
    try:
        result = node.call(request["method"], _positional(params))
    except RpcError as problem:
        return _error(request_id, problem) if "id" in request else None
    return {"jsonrpc": "2.0", "id": request_id, "result": result} if "id" in request else None


def _positional(params: object) -> list[object]:
    if params is None:
        return []
    if not isinstance(params, list):
        raise RpcError("non-array args", INVALID_PARAMS)
    return params


def _error(request_id: object, problem: RpcError) -> Json:
    shown = request_id if isinstance(request_id, str | int) else None
    return {"jsonrpc": "2.0", "id": shown, "error": problem.to_json()}
