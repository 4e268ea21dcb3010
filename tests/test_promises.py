"""Is every promise tested, and does every marked test name a real promise?"""

import ast
import re
from pathlib import Path

import pytest

from tests.promises import PROMISES, promise

TESTS = Path(__file__).parent


def marks_in(source: str) -> list[tuple[str, str]]:
    """Return (promise id, test name) for each `@promise("id")` in the source of one test file."""
    return [
        (ast.literal_eval(mark.args[0]), node.name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "promise"
    ]


def all_marks() -> list[tuple[str, str]]:
    return [mark for path in sorted(TESTS.rglob("test_*.py")) for mark in marks_in(path.read_text("utf-8"))]


def test_every_promise_has_a_test():
    shown = {promise_id for promise_id, _ in all_marks()}
    assert sorted(row.id for row in PROMISES if row.id not in shown) == []


def test_every_mark_names_a_promise_and_stands_on_a_test():
    known = {row.id for row in PROMISES}
    wrong = [(promise_id, name) for promise_id, name in all_marks() if promise_id not in known]
    idle = [(promise_id, name) for promise_id, name in all_marks() if not name.startswith("test_")]
    assert (wrong, idle) == ([], [])


def test_ids_are_words_and_are_used_once():
    ids = [row.id for row in PROMISES]
    assert len(ids) == len(set(ids))
    assert [row for row in ids if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row)] == []


def test_a_mark_for_an_unknown_promise_is_refused_where_it_stands():
    with pytest.raises(LookupError, match="`never-promised`"):
        promise("never-promised")


def test_marks_are_read_from_plain_async_and_stacked_decorators():
    source = '@other\n@promise("a")\n@promise("b")\nasync def test_x(): ...\n@promise("c")\ndef test_y(): ...\n'
    assert marks_in(source) == [("a", "test_x"), ("b", "test_x"), ("c", "test_y")]
