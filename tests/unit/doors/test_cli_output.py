"""One place prints: documents for programs, visible text for people, an exit code for both."""

import json

import pytest
import typer

from mcp_wallet.core.errors import CallerError, OutsideError, OwnerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.cli.output import Answer, Table, finish, show


def answering(answer):
    async def command():
        if isinstance(answer, Exception):
            raise answer
        return answer

    return command


def code_of(answer, *, as_json=False):
    with pytest.raises(typer.Exit) as ended:
        finish(answering(answer), as_json=as_json)
    return ended.value.exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CallerError(ReasonCode.INTENT_INVALID, "No."), 1),
        (OwnerError(ReasonCode.POLICY_INVALID, "No."), 1),
        (OutsideError(ReasonCode.NODE_UNAVAILABLE, "No."), 4),
        (OutsideError(ReasonCode.ROLLBACK_DETECTED, "No."), 3),
        (RuntimeError("a secret"), 4),
    ],
)
def test_every_kind_of_trouble_has_its_exit_code(error, code):
    assert code_of(error) == code


def test_a_refusal_is_one_line_on_stderr(capsys):
    code_of(CallerError(ReasonCode.INTENT_INVALID, "Say `what`."))
    assert capsys.readouterr() == ("", "INTENT_INVALID: Say `what`.\n")


def test_a_refusal_is_a_document_for_programs(capsys):
    code_of(OwnerError(ReasonCode.POLICY_INVALID, "No.", {"count": "2"}), as_json=True)
    error = json.loads(capsys.readouterr().out)["error"]
    assert error == {"code": "POLICY_INVALID", "message": "No.", "details": {"count": "2"}}


def test_all_problems_of_a_file_are_printed(capsys):
    code_of(OwnerError(ReasonCode.POLICY_INVALID, "a:1:1: x (and 1 more).", {"problems": "a:1:1: x\na:2:1: y"}))
    assert capsys.readouterr().err.splitlines()[1:] == ["a:1:1: x", "a:2:1: y"]


def test_a_fault_says_where_and_never_what(capsys):
    code_of(RuntimeError("https://node.example/secret"))
    printed = capsys.readouterr()
    assert "secret" not in printed.out + printed.err
    assert "RuntimeError at test_cli_output.py" in printed.err


def test_untrusted_text_moves_no_cursor_and_is_no_markup(capsys):
    cell = "[red]hi[/red] \x1b[2J\u202e\u2028end"
    show(Answer(document={}, lines=[cell], table=Table(headings=("a",), rows=[[cell]])), as_json=False)
    printed = capsys.readouterr().out
    assert "[red]hi[/red]" in printed
    assert not set("\x1b\u202e\u2028") & set(printed)


def test_json_for_programs_is_ascii(capsys):
    show(Answer(document={"a": "\u202e"}), as_json=True)
    assert capsys.readouterr().out.isascii()
