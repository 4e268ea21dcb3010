"""Does examples/README.md name every example, once?"""

import re
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_page_names_every_example_once():
    page = (EXAMPLES / "README.md").read_text("utf-8")
    named = re.findall(r"^\| \[`([^`]+)`\]\(\1\) \|", page, re.MULTILINE)
    there = {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {"README.md"}
    assert sorted(named) == sorted(there)
