"""Does a reader who types what the documents say get what they promise? Every block is run, in order, as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("eth", reason="needs the `devnet` extra")

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- (by hand|second terminal) -->\s+)?```(\w+)\n(.*?)```", re.DOTALL)
PROGRAM = f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m mcp_wallet "$@"\n'


def blocks_of(document: str, kind: str, where: str = "") -> list[str]:
    """Return the blocks of one kind that a reader types in one place, in order."""
    return [
        body
        for place, what, body in BLOCK.findall((ROOT / document).read_text("utf-8"))
        if (place, what) == (where, kind)
    ]


def typed_in_order(document: str) -> list[tuple[str, str]]:
    """Return where and what a reader types, in order; what the second terminal knows already is said again."""
    found: list[tuple[str, str]] = []
    known = ""
    for place, kind, body in BLOCK.findall((ROOT / document).read_text("utf-8")):
        if kind == "sh" and place != "by hand":
            found.append((place, known + body if place else body))
            known = known or (body if place else "")
    return found


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
            ["bash", "-euc", script], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    types.folder = folder  # type: ignore[attr-defined]
    return types


def test_the_quickstart_goes_from_nothing_to_a_verified_trail(reader):
    (program,) = blocks_of("docs/quickstart.md", "python")
    (reader.folder / "ask.py").write_text(program)
    said = [reader(script) for _, script in typed_in_order("docs/quickstart.md")]
    pays, tries, _, looks, approves, paid, stops, refused, goes_on, audits, configures = said
    assert "50000.00" in pays
    assert "50.00 USDC on local to alice: confirmed" in pays
    assert '"transaction_hash":"0x' in pays
    told = ("This call repeats an earlier payment and paid nothing", "PER_TX_LIMIT_EXCEEDED", "RECIPIENT_NOT_ALLOWED")
    assert [word for word in told if word not in tries] == []
    assert "pending_approval" in tries
    assert " ".join(looks.splitlines()[0].split()) in " ".join((ROOT / "README.md").read_text("utf-8").split())
    assert "order 4" in looks
    assert approves.startswith("Approved.")
    assert "600.00 USDC on local to bob: confirmed" in paid
    assert "Frozen: all" in stops
    assert "FROZEN" in refused
    assert "Released: all" in goes_on
    assert "events are whole and in order" in audits
    assert "decisions come out byte for byte" in audits
    assert "claude_desktop_config.json" in configures


def test_the_readmes_program_pays(reader):
    (program,) = blocks_of("README.md", "python")
    (reader.folder / "pay.py").write_text(program)
    said = reader("python pay.py").splitlines()
    assert re.fullmatch(r"confirmed 0x[0-9a-f]{64}", said[0])
    assert said[1] == "alice has 50.00"


def test_the_readmes_policy_loads(reader):
    (policy,) = blocks_of("README.md", "yaml")
    reader("mkdir -p home")
    (reader.folder / "policy.yaml").write_text(policy.replace("[alice, bob]", '["0x' + "a1" * 20 + '"]'))
    assert "policy refunds loads" in reader("mcp-wallet policy validate policy.yaml")
