"""Does each example that needs a chain do what it claims? It asserts that itself; here it is run as a reader would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("eth", reason="needs the `devnet` extra")

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def ran(program: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run an example in an empty folder."""
    return subprocess.run(
        [sys.executable, EXAMPLES / program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (
            "python_wallet.py",
            [
                "  confirmed: 50.00 usdc to alice, 49950.00 left today",
                "  confirmed, replayed: True",
                "  pending_approval, final: False",
                "The chain says: wallet 999150.00, alice 800.00, bob 50.00, mallory 0.00.",
            ],
        ),
        (
            "langchain_agent.py",
            [
                "  model calls send_payment {'to': 'alice', 'amount': '20.50', 'reference': 'order 77'}",
                "ai: Alice was refunded 20.50 USDC for order 77. Mallory cannot be paid.",
                "The chain says: alice 20.50, mallory 0.00.",
            ],
        ),
        (
            "langgraph_human.py",
            [
                "  no -> the person said no",
                "  yes -> confirmed",
                "  yes, once more -> confirmed, replayed: True",
                "The chain says: alice 40.00, bob 0.00.",
            ],
        ),
    ],
)
def test_an_example_tells_its_story_and_keeps_to_it(program: str, told: list[str], tmp_path: Path):
    answer = ran(program, tmp_path)
    assert answer.returncode == 0, answer.stderr
    missing = [line for line in told if line not in answer.stdout.splitlines()]
    assert missing == [], answer.stdout
    assert "Traceback" not in answer.stderr
    assert list(tmp_path.iterdir()) == []
