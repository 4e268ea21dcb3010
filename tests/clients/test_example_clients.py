"""Do the examples that are clients do what they claim? Run as a reader would: copied out, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.apart import apart

pytest.importorskip("eth", reason="needs the `devnet` extra")

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SERVE = [sys.executable, "-m", "mcp_wallet", "serve", "--dev"]


def ran(*command: str | Path, folder: Path, path: str = "") -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if name in {"HOME", "LANG"}}
    environ |= {"PATH": f"{path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)


def test_the_fingerprint_in_javascript_is_the_wallets(node_binary: Path, tmp_path: Path):
    program = EXAMPLES / "fingerprint.mjs"
    alone = ran(node_binary, program, folder=tmp_path)
    assert (alone.returncode, alone.stdout.split()[0]) == (0, "same"), alone.stderr
    vectors = ROOT / "tests" / "vectors" / "fingerprints.json"
    every = ran(node_binary, program, vectors, folder=tmp_path)
    assert every.returncode == 0, every.stdout + every.stderr
    assert every.stdout.count("same   ") == vectors.read_text("utf-8").count('"expected"')


@pytest.mark.parametrize(
    ("found", "spoilt"), [("50000000", "50000001"), ("refund #1234", "refund #1235"), ('"1"', "1")], ids=str
)
def test_the_fingerprint_in_javascript_tells_another_intent(node_binary: Path, tmp_path: Path, found: str, spoilt: str):
    vectors = (ROOT / "tests" / "vectors" / "fingerprints.json").read_text("utf-8")
    assert found in vectors
    (tmp_path / "spoilt.json").write_text(vectors.replace(found, spoilt, 1), "utf-8")
    told = ran(node_binary, EXAMPLES / "fingerprint.mjs", tmp_path / "spoilt.json", folder=tmp_path)
    assert told.returncode == 1
    assert "DIFFER" in told.stdout or "is not text" in told.stderr


def test_an_agent_of_a_second_framework_pays_once_and_is_refused(tmp_path: Path):
    python = apart("clients") / "bin" / "python"
    told = subprocess.run(
        [python, EXAMPLES / "openai_agents.py", "/usr/bin/env", f"PYTHONPATH={ROOT}", *SERVE],
        env={name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "  This call repeats an earlier payment and paid nothing" in told.stdout
    assert told.stdout.endswith("agent: Alice was paid once for order 77. Mallory cannot be paid.\n")


def test_the_walk_through_the_inspector_goes_as_it_is_written(inspector_binary: Path, tmp_path: Path):
    page = (EXAMPLES / "inspector.md").read_text("utf-8")
    steps = re.findall(r"```sh\n(.+?)```\n\n> (.+?)\n", page, re.DOTALL)
    assert len(steps) == page.count("```sh") == 5
    shims = {
        "npx": f'shift\nexec "{inspector_binary}" "$1" --connect-timeout 0 "${{@:2}}"',
        "mcp-wallet": f'exec "{sys.executable}" -m mcp_wallet "$@"',
    }
    (tmp_path / "bin").mkdir()
    for name, body in shims.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "empty").mkdir()
    for command, expected in steps:
        told = ran("/bin/bash", "-c", command, folder=tmp_path / "empty", path=str(tmp_path / "bin"))
        assert told.returncode == 0, (command, told.stderr)
        assert expected in told.stdout, (command, told.stdout)
