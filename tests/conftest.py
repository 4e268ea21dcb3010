"""What every test may count on: one event loop, a home of its own, and tools that are there or a skip that says why."""

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
IN_CI = os.environ.get("CI", "") not in {"", "false", "0"}

# No deadline: a slow machine is not a bug. In CI the examples are the same on every run, so that a change is judged by
# what it changed; everywhere else they are fresh ones.
settings.register_profile("ours", deadline=None, derandomize=IN_CI, print_blob=True)
settings.load_profile("ours")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The product runs on asyncio alone; so do its tests."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user of its own for each worker: no test reads or writes the developer's wallet, anchors or settings."""
    home = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("MCP_WALLET_", "XDG_", "LANGSMITH_"))]:
            patch.delenv(name)
        patch.setenv("HOME", str(home))
        yield home


def _tool(name: str, remedy: str) -> Path:
    """Return the program from .tools, else from PATH, else skip the test."""
    ours = ROOT / ".tools" / "bin" / name
    found = ours if ours.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}: {remedy}")
    return Path(found)


@pytest.fixture(scope="session")
def anvil_binary() -> Path:
    return _tool("anvil", "run `make anvil`")


@pytest.fixture(scope="session")
def inspector_binary(node_binary: Path) -> Path:
    """A script for Node: where Node is missing, that is the reason to give."""
    return _tool("mcp-inspector", "run `make inspector`")


@pytest.fixture(scope="session")
def node_binary() -> Path:
    return _tool("node", "install Node.js")


def _must_have(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip for want of a tool into a failure where CI has brought the tools."""
    if not (IN_CI and report.skipped and isinstance(report.longrepr, tuple)):
        return
    path, line, reason = report.longrepr
    if reason.removeprefix("Skipped: ").startswith("needs "):
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: CI must have what this test {reason.removeprefix('Skipped: ')}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _must_have(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _must_have(report)
    return report
