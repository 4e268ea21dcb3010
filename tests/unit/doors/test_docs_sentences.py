"""Which sentences does the list of errors find in a source?"""

import re
from pathlib import Path

from mcp_wallet.doors.docs.sentences import sentences_in

ROOT = Path(__file__).parents[3]
SOURCE = """
SAID = "A constant says what went wrong."

def plain(name):
    raise CallerError(ReasonCode.ASSET_UNKNOWN, f"Asset `{name}` is not known here.")

def branches(full):
    raise OutsideError(ReasonCode.DISK_FULL, "The disk is quite full." if full else SAID, retryable=False)

def named(path):
    sentence = f"{path} " "cannot be read here."
    raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence)

def _unusable(sentence):
    return OwnerError(ReasonCode.SIGNER_UNAVAILABLE, sentence + ".")

def _refuse(field, problem):
    raise CallerError(ReasonCode.INTENT_INVALID, f"`{field}` {problem}.")

def callers():
    _refuse("memo", "must be visible text")
    raise _unusable("The keystore needs a password")

def option():
    raise typer.BadParameter("--loudly goes with --speak.")

def other():
    print("Nobody is told about this."); raise ValueError("an internal word or two")
"""


def test_sentences_are_found_where_errors_are_made(tmp_path: Path):
    (tmp_path / "source.py").write_text(SOURCE)
    assert sentences_in(tmp_path) == {
        "ASSET_UNKNOWN": ["Asset `…` is not known here."],
        "DISK_FULL": ["A constant says what went wrong.", "The disk is quite full."],
        "CONFIG_UNAPPROVED": ["… cannot be read here."],
        "SIGNER_UNAVAILABLE": ["The keystore needs a password"],
        "INTENT_INVALID": ["must be visible text"],
        "usage": ["--loudly goes with --speak."],
    }


def test_what_the_troubleshooting_page_quotes_is_what_is_said():
    """Quoted are code spans of several words that are no command."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8").split("## Everything it says")[0]
    spans = [span for span in re.findall(r"`([^`\n]+)`", text) if len(span.split()) > 2]
    quoted = [span for span in spans if not span.startswith("mcp-wallet ")]
    said = [sentence for sentences in sentences_in(ROOT / "mcp_wallet").values() for sentence in sentences]
    assert len(quoted) >= 2
    assert [span for span in quoted if not any(span in sentence for sentence in said)] == []
