"""What the product says when it refuses or fails, read from its source: the sentences of each code.

A sentence counts where an error is made, directly or by a function of the same file that makes it from its argument.
What is filled in at run time is shown as `…`.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

ERRORS: Final = frozenset({"CallerError", "OwnerError", "OutsideError"})
BAD_PARAMETER: Final = "BadParameter"
USAGE: Final = "usage"
"""Stands for the code of a command line that cannot be understood."""
WORDS_MIN: Final = 4
HOLE: Final = "…"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def sentences_in(root: Path) -> Mapping[str, list[str]]:
    """Return for each code the sentences that the sources below `root` can say, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    sources = [path.read_text("utf-8") for path in sorted(root.rglob("*.py"))]
    for source in (text for text in sources if any(name in text for name in (*ERRORS, BAD_PARAMETER))):
        for code, sentence in _said(ast.parse(source)):
            if len(sentence.split()) >= WORDS_MIN:
                found[code].add(sentence)
    return {code: sorted(said) for code, said in found.items()}


def _said(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield code and sentence for each error that one file makes."""
    makers = dict(_makers(tree))
    for scope, call in _calls(tree):
        name = _name(call.func)
        if isinstance(call.func, ast.Attribute) and call.func.attr == BAD_PARAMETER and call.args:
            code, sentence = USAGE, call.args[0]
        elif name in ERRORS and len(call.args) > 1:
            code, sentence = _code(call.args[0]), call.args[1]
        elif name in makers and call.args:
            code, sentence = makers[name][0], call.args[min(makers[name][1], len(call.args) - 1)]
        else:
            continue
        for text in _texts(sentence, scope, tree):
            if code:
                yield code, text


def _makers(tree: ast.Module) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield each function that makes an error with its (last) argument as the sentence: name, code, position."""
    for function in (node for node in tree.body if isinstance(node, Function)):
        names = [argument.arg for argument in function.args.args]
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            said = call.args[1] if _name(call.func) in ERRORS and len(call.args) > 1 else None
            used = [node.id for node in ast.walk(said) if isinstance(node, ast.Name)] if said else []
            positions = [names.index(name) for name in used if name in names]
            if positions and (code := _code(call.args[0])):
                yield function.name, (code, positions[-1])


def _calls(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Yield each call with the function that it stands in, else with the module."""
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    inside: dict[int, ast.AST] = {id(node): function for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield inside.get(id(node), tree), node


def _texts(node: ast.expr, scope: ast.AST, tree: ast.Module) -> Iterator[str]:
    """Yield the texts that an expression can be: a literal, either branch, or what a name was given."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, scope, tree)
        yield from _texts(node.orelse, scope, tree)
    elif isinstance(node, ast.Name):
        for value in _given(node.id, scope) or _given(node.id, tree):
            yield from _texts(value, scope, tree)


def _given(name: str, scope: ast.AST) -> list[ast.expr]:
    """Return the literals that a name is given in a scope; another name's value is not followed."""
    pairs = [(a.targets[0], a.value) for a in ast.walk(scope) if isinstance(a, ast.Assign)]
    pairs += [(a.target, a.value) for a in ast.walk(scope) if isinstance(a, ast.AnnAssign) and a.value is not None]
    return [value for target, value in pairs if _name(target) == name and not isinstance(value, ast.Name)]


def _code(node: ast.expr) -> str:
    """Return the code that `ReasonCode.X` names, empty text for any other expression."""
    return node.attr if isinstance(node, ast.Attribute) and _name(node.value) == "ReasonCode" else ""


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
