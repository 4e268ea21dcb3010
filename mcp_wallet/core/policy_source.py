"""Policy and test files as data that still knows its lines: YAML 1.2 or JSON, strict.

Duplicate keys, aliases and tags are problems: a reader must see on the page what the machine reads. Numbers keep
what was written: an integer is an int, anything with a fraction or exponent a `Decimal`, which no field accepts.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.reasons import ReasonCode

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

Data: TypeAlias = "str | int | bool | Decimal | list[Data] | dict[str, Data] | None"
"""What a source file can hold."""
FieldPath: TypeAlias = "tuple[str | int, ...]"
"""Keys and indices from the top; what is not there (a union's tag) is skipped."""

NESTING_MAX: Final = 64
_BRACKETS: Final = re.compile(r"[][{}]")
_DEEP_BLOCK: Final = re.compile(r"(?m)^(?: {256}|[ ]*(?:[-?] +){64})")
SHOWN_CHARACTERS_MAX: Final = 60
_PROBLEMS_SHOWN_MAX: Final = 100
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,80})")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,80}")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """What is wrong, where, in one sentence. Lines and columns count from 1."""

    line: int
    column: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A parsed file.

    Args:
        name: What problems call it: a bare file name.
        data: Its content.
        problems: What is wrong with the text itself; the content is still the best reading of it.
        locate: Line and column of a path; of the key, not the value, when asked.
    """

    name: str
    data: Data
    problems: tuple[Problem, ...]
    locate: "Callable[[FieldPath, bool], tuple[int, int]]"

    def problem(self, path: FieldPath, sentence: str, *, at_key: bool = False) -> Problem:
        """Return a problem at this place."""
        line, column = self.locate(path, at_key)
        return Problem(line=line, column=column, sentence=sentence)


def parse_source(text: str, *, name: str) -> Source:
    """Return the content of a YAML file, or of a JSON file when the name ends so.

    Raises:
        OwnerError: `POLICY_INVALID` when the text is not YAML or JSON at all.
    """
    if _is_nested_too_deeply(text):
        raise invalid(name, [Problem(line=1, column=1, sentence="the file is nested too deeply")])
    return _parse_json(text, name) if name.endswith(".json") else _parse_yaml(text, name)


def invalid(name: str, problems: Iterable[Problem]) -> OwnerError:
    """Return the error that carries all problems, one a line, as `file:line:column: sentence` in `details`."""
    found = sorted(set(problems))
    lines = [f"{name}:{p.line}:{p.column}: {p.sentence}" for p in found]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    details = {"problems": "\n".join(lines[:_PROBLEMS_SHOWN_MAX]), "count": str(len(lines))}
    return OwnerError(ReasonCode.POLICY_INVALID, f"{lines[0]}{more}.", details)


def shown(value: object) -> str:
    """Return a value from a file as it can stand in a sentence: short, printable, in backticks."""
    text = str(value)
    cut = text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…"
    return "`" + "".join(c if c.isprintable() else "?" for c in cut) + "`"


def _is_nested_too_deeply(text: str) -> bool:
    """Return whether a recursive parser would go deeper than any policy does.

    Decided before parsing: not every interpreter that runs us stops a recursion in time.
    """
    depth = 0
    for bracket in _BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > NESTING_MAX:
            return True
    return _DEEP_BLOCK.search(text) is not None


def _parse_json(text: str, name: str) -> Source:
    duplicates: list[str] = []

    def once(pairs: list[tuple[str, Data]]) -> dict[str, Data]:
        content = dict(pairs)
        if len(content) < len(pairs):
            duplicates.append("")
        return content

    try:
        data: Data = json.loads(text, object_pairs_hook=once, parse_float=Decimal, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        sentence = f"this is not JSON: {error.msg[0].lower()}{error.msg[1:]}"
        raise invalid(name, [Problem(line=error.lineno, column=error.colno, sentence=sentence)]) from None
    except ValueError:
        raise invalid(name, [Problem(line=1, column=1, sentence="a number in the file is not usable")]) from None
    # Tabs stand only between values in valid JSON; YAML, which knows the lines, wants none.
    spaced = text.replace("\t", " ")
    if duplicates:
        return _parse_yaml(spaced, name)
    root = cache(lambda: _compose(spaced, name))  # only a problem needs the lines, and then often
    return Source(name=name, data=data, problems=(), locate=lambda path, at_key: _place(root(), path, at_key))


def _parse_yaml(text: str, name: str) -> Source:
    root = _compose(text, name)
    builder = _Builder()
    data = builder.build(root) if root is not None else None
    return Source(
        name=name,
        data=data,
        problems=tuple(builder.problems),
        locate=lambda path, at_key: _place(root, path, at_key),
    )


def _compose(text: str, name: str) -> "Node | None":
    from ruamel.yaml import YAML  # noqa: PLC0415  30 ms that only files need
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415

    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        sentence = f"this is not YAML: {str(error.problem or 'it cannot be read').splitlines()[0]}"
        raise invalid(name, [Problem(line=line, column=column, sentence=sentence)]) from None
    except YAMLError:
        sentence = "the file holds a character that text may not hold"
        raise invalid(name, [Problem(line=1, column=1, sentence=sentence)]) from None
    return root


class _Builder:
    """Turns nodes into data and notes what a reader could misread."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._seen: set[int] = set()

    def build(self, node: "Node") -> Data:
        if id(node) in self._seen:
            self._note(node, "anchors and aliases are not read here: write the value out")
            return None
        self._seen.add(id(node))
        kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if kind == "map":
            return self._mapping(node.value)
        if kind == "seq":
            return [self.build(item) for item in node.value]
        if isinstance(node.value, str):
            return self._scalar(node, kind)
        self._note(node, f"the tag {shown(node.tag)} is not read here")
        return None

    def _mapping(self, pairs: "Sequence[tuple[Node, Node]]") -> dict[str, Data]:
        content: dict[str, Data] = {}
        for key_node, value_node in pairs:
            key = key_node.value if isinstance(key_node.value, str) else ""
            if not key:
                self._note(key_node, "a field's name is plain text")
            elif key in content:
                self._note(key_node, f"{shown(key)} is given twice")
            content[key] = self.build(value_node)
        return content

    def _scalar(self, node: "Node", kind: str) -> Data:
        text = str(node.value)
        if kind == "bool":
            return text.lower() == "true"
        if kind == "null":
            return None
        if kind in ("int", "float"):
            return _number(text)
        if kind not in ("str", "timestamp"):
            self._note(node, f"the tag {shown(node.tag)} is not read here")
        return text

    def _note(self, node: "Node", sentence: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(line=mark.line + 1, column=mark.column + 1, sentence=sentence))


def _number(text: str) -> Data:
    """Return an integer, a `Decimal` where JSON would hold a fraction, or the text of what is neither."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


def _refuse_constant(_: str) -> Data:
    raise ValueError


def _place(root: "Node | None", path: FieldPath, at_key: bool) -> tuple[int, int]:  # noqa: FBT001  Source.locate's shape
    node, marked = root, root
    for part in path:
        found = _child(node, part)
        if found is not None:
            marked, node = found
    target = marked if at_key else node
    return (target.start_mark.line + 1, target.start_mark.column + 1) if target is not None else (1, 1)


def _child(node: "Node | None", part: str | int) -> "tuple[Node, Node] | None":
    """Return the key's and the value's node of a part; an item of a sequence is its own key."""
    content = node.value if node is not None else None
    if not isinstance(content, list):
        return None
    if isinstance(part, int):
        is_item = part < len(content) and not isinstance(content[part], tuple)
        return (content[part], content[part]) if is_item else None
    for pair in content:
        if isinstance(pair, tuple) and pair[0].value == part:
            return pair[0], pair[1]
    return None
