"""Is the house clean? Limits of style that a test holds, because a limit nobody checks is a wish.

Complexity, prints and unused imports are ruff's; floors are import-linter's; here is what those two cannot say.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.promises import promise

ROOT = Path(__file__).parent.parent
PACKAGES = ("mcp_wallet", "langchain_tools")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"})
HEAVY = frozenset(
    {
        "aiosqlite",
        "cryptography",
        "eth_account",
        "langchain_core",
        "mcp",
        "pydantic",
        "rich",
        "sqlcipher3",
        "typer",
        "web3",
    }
)  # fmt: skip  one list, one glance

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=name_of(path))


def functions_in(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def lines_without_docstring(node: Function) -> int:
    total = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return total
    return total - ((first.end_lineno or first.lineno) - first.lineno + 1)


# ---------------------------------------------------------------------------------------------------- sizes and names


def test_no_file_is_longer_than_a_reader_holds():
    lengths = {
        name_of(path): len(path.read_text("utf-8").splitlines()) for path in sources(*PACKAGES, "tests", "examples")
    }
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen():
    found = {
        f"{name_of(path)}:{node.lineno} {node.name}": lines_without_docstring(node)
        for path in sources(*PACKAGES, "tests", "examples")
        for node in functions_in(path)
    }
    assert {name: lines for name, lines in found.items() if lines > FUNCTION_LINES_MAX} == {}


def test_a_docstring_does_not_count_as_length():
    node = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n').body[0]
    assert isinstance(node, Function)
    assert lines_without_docstring(node) == 2


def test_no_module_has_a_name_that_says_nothing():
    parts = {name_of(path): path.relative_to(ROOT).with_suffix("").parts for path in sources(*PACKAGES, "tests")}
    assert [name for name, words in parts.items() if VAGUE_NAMES & {word.strip("_") for word in words}] == []


# ------------------------------------------------------------------------------------------------------ money and talk


def floats_in(tree: ast.Module) -> list[int]:
    """Return the lines that name `float`, write a float literal, or divide with `/`."""
    return sorted(
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
    )


@promise("no-float")
def test_no_float_enters_the_rules():
    assert [f"{name_of(path)}:{line}" for path in sources("mcp_wallet/core") for line in floats_in(tree_of(path))] == []


def test_a_float_is_found_in_each_of_its_disguises():
    assert floats_in(ast.parse("a = float(b)\nc = 0.5\nd = e / 2\nf /= 2\ng = h // 2\n")) == [1, 2, 3, 4]


def test_only_doors_speak_to_people():
    prints = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources(*PACKAGES)
        if not name_of(path).startswith("mcp_wallet/doors/")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == []


@pytest.mark.parametrize("proof", ["Sealed", "Signed"])
def test_only_the_signing_gate_makes_the_proof(proof: str):
    """`Sealed` and `Signed` prove by their type that Gate 2 looked; made anywhere else they would prove nothing."""
    makers = {
        name_of(path)
        for path in sources("mcp_wallet")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == proof
    }
    assert makers <= {"mcp_wallet/core/signing_gate.py"}


def test_tests_never_sleep():
    naps = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources("tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and ast.unparse(node) == "time.sleep"
    ]
    assert naps == []


# -------------------------------------------------------------------------------------------------------- dependencies


@promise("light-import")
def test_importing_the_package_costs_nothing():
    script = "import sys, mcp_wallet; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert sorted(HEAVY & set(answer.stdout.split())) == []


def declared() -> dict[str, list[Requirement]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {group: [Requirement(line) for line in lines] for group, lines in groups.items()}


def imports_of(path: Path) -> set[str]:
    """Return the top-level names that a file imports, wherever in the file it does so."""
    nodes = list(ast.walk(tree_of(path)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) if node.module and not node.level}
    return {name.partition(".")[0] for name in plain | named}


def test_every_import_of_the_product_is_a_declared_dependency():
    groups = {group: {canonicalize_name(row.name) for row in rows} for group, rows in declared().items()}
    homes = packages_distributions()
    undeclared = {}
    for path in sources(*PACKAGES):
        allowed = groups[""] | (groups["devnet"] if name_of(path).startswith("mcp_wallet/devnet/") else set())
        outside = imports_of(path) - sys.stdlib_module_names - set(PACKAGES)
        missing = {name for name in outside if not allowed & {canonicalize_name(home) for home in homes.get(name, [])}}
        if missing:
            undeclared[name_of(path)] = sorted(missing)
    assert undeclared == {}


def test_the_langchain_door_uses_the_public_face_alone():
    """The import contracts name `mcp_wallet` only, so that they hold for an install without this second package."""
    outside = {name for path in sources("langchain_tools") for name in imports_of(path)} - sys.stdlib_module_names
    inside = {
        f"{name_of(path)}:{node.lineno} {node.module}"
        for path in sources("langchain_tools")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mcp_wallet.")
        if not re.match(r"mcp_wallet\.contract(\.|$)", node.module or "")
    }
    assert outside <= {"langchain_core", "langchain_tools", "mcp_wallet", "pydantic"}
    assert inside == set()


def test_each_package_tells_type_checkers_that_it_is_typed():
    assert [name for name in PACKAGES if (ROOT / name).is_dir() and not (ROOT / name / "py.typed").is_file()] == []


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / lock).read_text("utf-8")
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)}


@pytest.mark.parametrize(("lock", "groups"), [("runtime.txt", [""]), ("dev.txt", ["", "devnet", "dev"])])
def test_the_lock_satisfies_what_is_declared(lock: str, groups: list[str]):
    pinned = pins(lock)
    rows = [row for group in groups for row in declared()[group] if row.name != "mcp-wallet"]
    wrong = [
        f"{row} but {pinned.get(canonicalize_name(row.name), 'nothing')} is locked"
        for row in rows
        if not row.specifier.contains(pinned.get(canonicalize_name(row.name), "0"), prereleases=True)
    ]
    assert wrong == []


def test_both_locks_agree():
    assert {name: pin for name, pin in pins("runtime.txt").items() if pins("dev.txt").get(name) != pin} == {}


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt"])
def test_the_lock_has_hashes_and_no_addresses(lock: str):
    text = (ROOT / "requirements" / lock).read_text("utf-8")
    unhashed = [name for name in re.findall(r"^([\w.-]+==.*)$", text, re.MULTILINE) if not name.endswith("\\")]
    assert unhashed == []
    assert "://" not in text
    assert re.findall(r"^--.*", text, re.MULTILINE) == []


# ------------------------------------------------------------------------------------------------------------ skips


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed, 1 skipped, 1 error"), ("", "3 skipped")])
def test_ci_counts_a_missing_tool_as_a_failure(tmp_path: Path, ci: str, outcome: str):
    (tmp_path / "test_one.py").write_text(
        "import pytest\n"
        "def test_a(): pytest.skip('needs anvil: run `make anvil`')\n"
        "@pytest.mark.skip(reason='needs node: install Node.js')\n"
        "def test_b(): pass\n"
        "@pytest.mark.skip(reason='only on Windows')\n"
        "def test_c(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", "none.ini", "test_one.py"]
    (tmp_path / "none.ini").touch()
    env = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    answer = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert outcome in answer.stdout
