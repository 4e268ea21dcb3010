"""Do the pictures read anywhere, fetch nothing, and show today's story?"""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from mcp_wallet.demo.recording import main, picture_of, recording_console
from mcp_wallet.demo.run import _show, close
from mcp_wallet.demo.story import Told

ROOT = Path(__file__).parents[3]
PICTURES = sorted((ROOT / "docs").glob("*.svg"))
GOOD = Told(name="a refund", did="asks for <50.00> & more", expected="confirmed", got="confirmed", said="[bold]paid")
BAD = Told(name="a stranger", did="asks", expected="denied", got="confirmed")


def words_in(picture: str) -> str:
    """Return the words of a picture as people read them; each line is one text element."""
    return " ".join("".join(ET.fromstring(picture).itertext()).replace("\xa0", " ").split())


def outward(picture: str) -> list[str]:
    """Return what a picture would fetch, and places of a machine."""
    without = picture.replace('xmlns="http://www.w3.org/2000/svg"', "")
    return re.findall(r"https?://|url\((?!#)|@import|<script|<image|/home/|/tmp/|/root/", without)


def test_a_recording_shows_the_words_as_they_were_said():
    console = recording_console()
    _show(console, 1, GOOD)
    close(console, [GOOD])
    picture = picture_of(console)
    assert "a refund asks for <50.00> & more → confirmed “[bold]paid”" in words_in(picture)
    assert "All 1 steps went as they must." in words_in(picture)
    assert outward(picture) == []
    assert picture == picture_of(_shown_again())


def _shown_again():
    console = recording_console()
    _show(console, 1, GOOD)
    close(console, [GOOD])
    return console


def test_a_story_that_went_otherwise_is_not_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mcp_wallet.demo.recording.perform", lambda *_, **__: [GOOD, BAD])
    assert main([str(tmp_path / "demo.svg")]) == 1
    assert list(tmp_path.iterdir()) == []
    assert "went otherwise" in capsys.readouterr().err


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_picture_of_the_documents_is_whole_and_fetches_nothing(path):
    picture = path.read_text("utf-8")
    assert words_in(picture)
    assert outward(picture) == []


def test_the_gates_are_drawn_for_light_and_for_dark():
    picture = (ROOT / "docs" / "gates.svg").read_text("utf-8")
    light, dark = picture.split("@media (prefers-color-scheme: dark)")
    for name in ("page", "box", "gate", "word", "soft", "line"):
        assert f".{name} {{" in light
        assert f".{name} {{" in dark


def test_the_recording_tells_every_step_of_the_story():
    """`make recording` draws it again."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "mcp_wallet" / "demo").glob("story*.py"))
    steps = re.findall(r'_told\(\s*"([^"]+)"|name="([^"]+)"', source)
    shown = words_in((ROOT / "docs" / "demo.svg").read_text("utf-8"))
    assert len(steps) >= 12
    assert [name for pair in steps for name in pair if name and name not in shown] == []
