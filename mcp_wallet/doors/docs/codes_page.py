"""docs/reason-codes.md: every code, what it means, who can put it right, how, and what shows it."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from mcp_wallet.contract.reason_guide import GUIDES
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.docs.markdown import page, table
from mcp_wallet.doors.docs.sentences import USAGE, sentences_in

SILENT: Final = ("mcp_wallet/core/reasons.py", "mcp_wallet/contract/reason_guide.py", "mcp_wallet/payments/messages.py")
"""Sources that name codes without giving them."""
PLACES: Final = tuple(f"{folder}/**/test_*.py" for folder in ("unit", "faults", "node", "sim", "conformance"))
"""Where to look for a test first: the nearer to the rule, the better it explains the code."""
SECOND_GATE: Final = "model/naive_gate.py"
"""Last: the gate that was written twice, compared on generated payments."""

USAGE_CURE: Final = "The command line is wrong (exit code 2): `--help` after any command shows what it takes."

OPENING: Final = """\
# Reason codes

Every refusal carries all of its codes; the first one decided. A released code keeps its spelling and meaning for ever.
"Shown by" names the recorded vector, else the first test, that produces the code."""


def codes_page(root: Path) -> str:
    """Return the page for the checkout at `root`."""
    shown = shown_by(root)
    rows = [
        (f"`{code}`", GUIDES[code].meaning, str(GUIDES[code].who), GUIDES[code].cure, shown[code])
        for code in ReasonCode
        if shown[code]
    ]
    waiting = ", ".join(f"`{code}`" for code in ReasonCode if not shown[code])
    parts = [OPENING, table(("code", "means", "who can put it right", "what to do", "shown by"), rows)]
    if waiting:
        parts += ["## Not given by this version", f"Their spelling and meaning are fixed already: {waiting}."]
    return page(*parts)


def error_list(root: Path) -> str:
    """Return for each code what the product says with it, what it means, and the cure."""
    said = sentences_in(root / "mcp_wallet")
    parts = [part for code in ReasonCode if code in said for part in _entry(code, said[code])]
    return "\n\n".join([*parts, "### Usage", USAGE_CURE, _bullets(said.get(USAGE, []))])


def _entry(code: ReasonCode, sentences: list[str]) -> Iterator[str]:
    guide = GUIDES[code]
    yield f"### {code}"
    yield f"{guide.meaning} Who can put it right: {guide.who}. {guide.cure}"
    yield _bullets(sentences)


def _bullets(sentences: list[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def shown_by(root: Path) -> Mapping[ReasonCode, str]:
    """Return what shows each code, as Markdown; empty for a code that the product never gives."""
    given = _given(root)
    vectors, tests = _vectors(root), _tests(root)
    return {code: (vectors.get(code) or tests.get(code, "-")) if code in given else "" for code in ReasonCode}


@cache
def _given(root: Path) -> frozenset[str]:
    """Return the codes that the product's source names where it gives them."""
    sources = [p for p in (root / "mcp_wallet").rglob("*.py") if p.relative_to(root).as_posix() not in SILENT]
    texts = [path.read_text("utf-8") for path in sources]
    return frozenset(name for text in texts for name in re.findall(r"\bReasonCode\.([A-Z_]+)\b", text))


@cache
def _vectors(root: Path) -> Mapping[str, str]:
    """Return for each code the first vector that expects it: file and id."""
    found: dict[str, str] = {}
    for path in sorted((root / "tests" / "vectors").glob("*.json")):
        for vector in _cases(json.loads(path.read_text("utf-8"))):
            for code in _codes(vector.get("expected")):
                found.setdefault(code, f"[{path.name}](../tests/vectors/{path.name}): `{vector.get('id', '')}`")
    return found


def _cases(document: object) -> Iterator[Mapping[str, object]]:
    rows = document.get("vectors", []) if isinstance(document, dict) else document
    yield from (row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()


@cache
def _known() -> frozenset[str]:
    return frozenset(map(str, ReasonCode))


def _codes(value: object) -> Iterator[str]:
    """Yield every reason code that stands anywhere in a JSON value."""
    if isinstance(value, str) and value in _known():
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _codes(part)
    elif isinstance(value, list):
        for part in value:
            yield from _codes(part)


@cache
def _tests(root: Path) -> Mapping[str, str]:
    """Return for each code the first test file that names it."""
    found: dict[str, str] = {}
    for path in (path for place in (*PLACES, SECOND_GATE) for path in sorted((root / "tests").glob(place))):
        place = path.relative_to(root).as_posix()
        for name in re.findall(r"\b[A-Z][A-Z_0-9]+\b", path.read_text("utf-8")):
            if name in _known():
                found.setdefault(name, f"[{path.name}](../{place})")
    return found
