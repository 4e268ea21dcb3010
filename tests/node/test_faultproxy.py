"""Does the proxy that other tests rely on fail as it says, also as a process of its own?"""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.node.faultproxy import LIE, SEND, Fault
from tests.node.nodes import RunningNode


@pytest.fixture
def steered(node: RunningNode) -> Iterator[RunningNode]:
    """The proxy as a process, spoken to like a node."""
    command = [sys.executable, "-m", "tests.node.faultproxy", node.url, "--fault", "hold"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield RunningNode("proxy", process.stdout.readline().strip())
        finally:
            process.terminate()


def send(proxy: RunningNode, raw: str = "0x02") -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": SEND, "params": [raw]}).encode()
    request = urllib.request.Request(proxy.url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_other_calls_pass_and_are_counted(steered: RunningNode):
    assert steered.rpc("eth_chainId") == hex(31337)
    assert steered.rpc("proxy_calls", "eth_chainId") == 1
    assert steered.rpc("proxy_calls") == 0


def test_a_held_send_is_seen_and_goes_on_when_it_is_released(steered: RunningNode):
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(send, steered)
        assert steered.rpc("proxy_wait", SEND, 1) == 1
        assert not sending.done()
        steered.rpc("proxy_release")
        assert "error" in sending.result()  # the node's own answer to nonsense


def test_a_held_send_can_be_dropped(steered: RunningNode):
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(send, steered)
        steered.rpc("proxy_wait", SEND, 1)
        steered.rpc("proxy_release", False)
        with pytest.raises(OSError, match=r"closed|reset"):
            sending.result()


@pytest.mark.parametrize("fault", [Fault.DROP_BEFORE, Fault.DROP_AFTER])
def test_a_broken_connection_says_nothing(steered: RunningNode, fault: Fault):
    steered.rpc("proxy_fault", fault)
    with pytest.raises(OSError, match=r"closed|reset"):
        send(steered)


def test_a_gateway_error_and_a_lie_come_after_the_node_was_asked(steered: RunningNode):
    steered.rpc("proxy_fault", Fault.ERROR503_AFTER)
    with pytest.raises(urllib.error.HTTPError) as caught:
        send(steered)
    caught.value.close()
    assert caught.value.code == 503
    steered.rpc("proxy_fault", Fault.LIE_HASH)
    assert send(steered)["result"] == LIE
