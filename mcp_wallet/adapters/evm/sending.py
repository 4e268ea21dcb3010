"""What a node said to signed bytes. Only two answers are statements; every doubt is `UNREACHABLE`: unknown."""

import re
from typing import Final

from mcp_wallet.adapters.evm.node import Node, RpcError
from mcp_wallet.adapters.evm.wire import parse_word
from mcp_wallet.core.errors import OutsideError
from mcp_wallet.ports import Sent

_KNOWN: Final = re.compile(r"already ?known|already imported|already exists|\bknown transaction", re.IGNORECASE)
_NONCE_TOO_LOW: Final = re.compile(r"nonce (?:is )?too low|\bold ?nonce|nonce has already been used", re.IGNORECASE)


async def send_once(node: Node, raw: bytes) -> Sent:
    """Return the node's answer to the bytes, handed over at most once.

    The hash that it names is checked for form and then ignored: ours is computed from the bytes. A node that could
    not be reached may have taken them all the same.
    """
    try:
        await node.check_chain()
        answer = await node.try_ask("eth_sendRawTransaction", ["0x" + raw.hex()], parse_word)
    except OutsideError:
        return Sent.UNREACHABLE
    return read_refusal(answer) if isinstance(answer, RpcError) else Sent.ACCEPTED


def read_refusal(refusal: RpcError) -> Sent:
    """Return what a client's words mean; each has its own, and none has codes for them."""
    if _NONCE_TOO_LOW.search(refusal.message):
        return Sent.NONCE_TOO_LOW
    return Sent.KNOWN if _KNOWN.search(refusal.message) else Sent.REFUSED
