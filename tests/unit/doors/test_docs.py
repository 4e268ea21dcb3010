"""Do the generated pages follow the code, and do the written ones name only what exists?"""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from mcp_wallet.contract.reason_guide import GUIDES
from mcp_wallet.contract.tools import TOOLS
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.cli.app import app
from mcp_wallet.doors.docs import pages as generator
from mcp_wallet.doors.docs.__main__ import main
from mcp_wallet.doors.docs.codes_page import shown_by
from mcp_wallet.doors.docs.markdown import put_between, table
from mcp_wallet.doors.docs.pages import pages_of, stale_pages, write_pages
from tests.promises import promise

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def fresh():
    return pages_of(ROOT)


@pytest.fixture
def checkout(tmp_path, fresh):
    """A folder whose pages are as the code says."""
    write_pages(tmp_path, fresh)
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def stale(checkout: Path) -> list[str]:
    return stale_pages(checkout, pages_of(ROOT))


def test_fresh_pages_are_not_stale(checkout):
    assert stale(checkout) == []


@promise("pages-follow-code")
def test_a_changed_tool_text_makes_its_pages_stale(checkout, monkeypatch):
    first = dataclasses.replace(TOOLS[0], description="Pay, perhaps. " + TOOLS[0].description)
    monkeypatch.setattr(generator, "TOOLS", (first, *TOOLS[1:]))
    assert stale(checkout) == ["README.md", "docs/schemas/tools.json", "docs/tools.md"]


def test_a_changed_argument_makes_its_pages_stale(checkout, monkeypatch):
    first, *others = TOOLS[0].arguments
    renamed = dataclasses.replace(TOOLS[0], arguments=(dataclasses.replace(first, name="payee"), *others))
    monkeypatch.setattr(generator, "TOOLS", (renamed, *TOOLS[1:]))
    assert stale(checkout) == ["docs/schemas/tools.json", "docs/tools.md"]


@promise("pages-follow-code")
def test_a_new_option_makes_the_command_line_stale(checkout, monkeypatch):
    def stray(*, loudly: bool = False) -> None:
        """Do something new."""

    monkeypatch.setattr(app, "registered_commands", [*app.registered_commands])
    app.command("stray")(stray)
    assert stale(checkout) == ["docs/cli.md"]


@promise("pages-follow-code")
def test_a_changed_cure_makes_the_codes_stale(checkout, monkeypatch):
    changed = GUIDES[ReasonCode.FROZEN]._replace(cure="Nothing.")
    monkeypatch.setitem(GUIDES, ReasonCode.FROZEN, changed)
    assert stale(checkout) == ["docs/reason-codes.md"]


@promise("pages-follow-code")
def test_a_changed_policy_schema_makes_its_page_stale(checkout, monkeypatch):
    monkeypatch.setattr(generator, "policy_schema", lambda: {"type": "string"})
    assert stale(checkout) == ["docs/schemas/policy.json"]


def test_a_changed_resistance_table_makes_both_its_pages_stale(checkout, monkeypatch):
    monkeypatch.setattr(generator, "RESISTANCE", (("everybody", "yes"),))
    assert stale(checkout) == ["README.md", "docs/threat-model.md"]


@promise("pages-follow-code")
def test_the_check_names_the_stale_page_and_fails(checkout, fresh, monkeypatch, capsys):
    monkeypatch.chdir(checkout)
    monkeypatch.setattr("mcp_wallet.doors.docs.__main__.pages_of", lambda _: fresh)
    assert main(["--check"]) == 0
    (checkout / "docs" / "cli.md").write_text("old\n")
    assert main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/cli.md is stale: run `make docs` and commit it.\n"
    assert main([]) == 0
    assert main(["--check"]) == 0


def test_elsewhere_than_in_a_checkout_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    assert list(tmp_path.iterdir()) == []


def test_every_code_is_explained():
    assert set(GUIDES) == set(ReasonCode)


def test_every_code_that_the_product_gives_is_shown_by_a_vector_or_a_test():
    assert [code for code, place in shown_by(ROOT).items() if place == "-"] == []


def test_a_table_survives_bars_and_line_ends():
    assert table(("a",), [("x|y\nz",)]) == "| a |\n| --- |\n| x\\|y z |"


@pytest.mark.parametrize("text", ["", "<!-- a -->", "<!-- /a --><!-- a -->", "<!-- a --><!-- a --><!-- /a -->"])
def test_a_page_without_its_marks_is_refused(text):
    with pytest.raises(LookupError, match="<!-- a -->"):
        put_between(text, "a", "x")


# ------------------------------------------------------------------------------------- what people wrote is there too


def commands_in(text: str) -> list[str]:
    """Return every command line of ours in code spans and code blocks, comments and continuations resolved."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    parts = [part.strip() for line in [*lines, *spans] for part in re.split(r"[;&|]+|\$\(", line.split(" #")[0])]
    found = [re.match(r"(?:\w+=\S* )*(?:\S*/)?(mcp-wallet [a-z].*)", part) for part in parts]
    return [match[1].rstrip(')"') for match in found if match]


def unknown_in(line: str) -> str:
    """Return what a command line names that does not exist; empty text when all of it does."""
    command: Any = typer.main.get_command(app)
    for word in line.split()[1:]:
        members = getattr(command, "commands", {})
        if members and word in members:
            command = members[word]
        elif members:
            return word
        elif (option := word.partition("=")[0]).startswith("-") and option not in options_of(command):
            return option
    return ""


def options_of(command: Any) -> set[str]:
    return {"--help"} | {spelling for parameter in command.params for spelling in parameter.opts}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_only_commands_that_exist(path):
    wrong = [(line, unknown_in(line)) for line in commands_in(path.read_text("utf-8")) if unknown_in(line)]
    assert wrong == []


def test_a_cure_names_only_commands_that_exist():
    lines = [line for guide in GUIDES.values() for line in commands_in(guide.cure)]
    assert lines != []
    assert [line for line in lines if unknown_in(line)] == []


def test_a_command_that_does_not_exist_is_found():
    block = 'x=1 bin/mcp-wallet serve --dev; echo "$(mcp-wallet audit key)"\nmcp-wallet kill --loudly  # now\n'
    text = f"Use `mcp-wallet fly`, or\n```sh\n{block}```"
    assert [unknown_in(line) for line in commands_in(text)] == ["", "", "--loudly", "fly"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_links_only_to_what_is_there(path):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    links += re.findall(r'(?:src|srcset)="([^"]+)"', path.read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []
