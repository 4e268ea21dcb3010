"""Is what we show true? Every policy that ships, every vector in policy form, and every example of `docs/policy.md`."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from mcp_wallet.control.policy_test import run_policy_tests

ROOT = Path(__file__).parents[3]
FILES = [*sorted(ROOT.glob("policies/*.test.yaml")), *sorted(ROOT.glob("tests/vectors/policies/*.test.yaml"))]
PAYEES = """
payees:
  alice: "0xa11ce00000000000000000000000000000000001"
  bob: "0xb0b0000000000000000000000000000000000002"
  carol: "0xca401000000000000000000000000000000000c3"
  dora: {address: "0xd04a0000000000000000000000000000000000d4", addedAt: "2026-03-09T12:00:01Z"}
  mallory: "0x3A1102F000000000000000000000000000000003"
"""
BLOCKS = re.findall(r"```(yaml|json)\n(.*?)```", (ROOT / "docs" / "policy.md").read_text("utf-8"), re.DOTALL)
EXAMPLES = [(kind, policy, cases) for (kind, policy), (_, cases) in pairwise(BLOCKS) if cases.startswith("cases:")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_case_beside_a_policy_comes_out_as_it_says(path: Path):
    report = run_policy_tests([path])
    assert [(case.name, case.message) for case in report.cases if not case.ok] == []
    assert report.cases


def test_every_policy_that_ships_has_cases_beside_it_and_names_its_schema():
    for path in ROOT.glob("policies/*.yaml"):
        if not path.name.endswith(".test.yaml"):
            assert path.with_suffix(".test.yaml") in FILES
            assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=../docs/schemas/policy.json\n#")


def test_each_part_of_the_page_is_an_example_and_each_example_has_cases():
    assert len(EXAMPLES) * 2 == len(BLOCKS)


@pytest.mark.parametrize(("kind", "policy", "cases"), EXAMPLES)
def test_the_examples_of_the_page_do_what_they_say(tmp_path: Path, kind: str, policy: str, cases: str):
    (tmp_path / f"p.{kind}").write_text(policy, "utf-8")
    (tmp_path / "p.test.yaml").write_text(f"policy: p.{kind}\n{PAYEES}{cases}", "utf-8")
    report = run_policy_tests([tmp_path / "p.test.yaml"])
    assert [(case.name, case.message) for case in report.cases if not case.ok] == []
