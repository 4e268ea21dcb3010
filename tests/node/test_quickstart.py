"""Does a reader who types what the documents say get what they promise? Every block is run, in order, as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("eth", reason="needs the `devnet` extra")

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(<!-- by hand -->\s+)?```(\w+)\n(.*?)```", re.DOTALL)
PROGRAM = f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m mcp_wallet "$@"\n'


def blocks_of(document: str, *kinds: str) -> list[tuple[str, str]]:
    """Return kind and text of the blocks that a reader types, in order."""
    text = (ROOT / document).read_text("utf-8")
    return [(kind, body) for by_hand, kind, body in BLOCK.findall(text) if kind in kinds and not by_hand]


@pytest.fixture
def reader(tmp_path):
    """An empty folder, an empty HOME, and the program on the PATH as after an install."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "mcp-wallet").write_text(PROGRAM)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    (tmp_path / "home").mkdir()
    folder = tmp_path / "empty"
    folder.mkdir()
    environ = {"HOME": str(tmp_path / "home"), "PATH": f"{programs}:{os.defpath}", "PYTHONPATH": str(ROOT)}

    def types(script: str) -> str:
        ran = subprocess.run(
            ["bash", "-euc", script], cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    types.folder = folder  # type: ignore[attr-defined]
    return types


def test_the_quickstart_goes_from_nothing_to_a_verified_trail(reader):
    (program, *scripts) = [body for _, body in blocks_of("docs/quickstart.md", "python", "sh")]
    (reader.folder / "ask.py").write_text(program)
    said = reader("\n".join(f"echo '--- block {number}'\n{script}" for number, script in enumerate(scripts)))
    _, pays, tries, operates, stops, audits, configures = re.split(r"--- block \d\n", said)
    assert "50000.00" in pays
    assert "50.00 USDC on local to alice: confirmed" in pays
    assert '"transaction_hash":"0x' in pays
    told = ("This call repeats an earlier payment and paid nothing", "PER_TX_LIMIT_EXCEEDED", "RECIPIENT_NOT_ALLOWED")
    assert [word for word in told if word not in tries] == []
    assert tries.count("pending_approval") >= 1
    assert " ".join(operates.splitlines()[0].split()) in " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert "agent-day" in operates
    assert "FROZEN" in stops
    assert "events are whole and in order" in audits
    assert "decisions come out byte for byte" in audits
    assert "claude_desktop_config.json" in configures


def test_the_readmes_program_pays(reader):
    (program,) = [body for _, body in blocks_of("README.md", "python")]
    (reader.folder / "pay.py").write_text(program)
    said = reader("python pay.py").splitlines()
    assert re.fullmatch(r"confirmed 0x[0-9a-f]{64}", said[0])
    assert said[1] == "alice has 50.00"


def test_the_readmes_policy_loads(reader):
    (policy,) = [body for _, body in blocks_of("README.md", "yaml")]
    reader("mkdir -p home")
    (reader.folder / "policy.yaml").write_text(policy.replace("[alice, bob]", '["0x' + "a1" * 20 + '"]'))
    assert "policy refunds loads" in reader("mcp-wallet policy validate policy.yaml")
