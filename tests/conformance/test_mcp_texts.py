"""Are lines and texts clean before anything else sees them?"""

import json
import logging
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet.doors.mcp.logs import OneLine
from mcp_wallet.doors.mcp.stdio import WakeableLines, mended
from mcp_wallet.doors.visible import visible

SECRET = "sk-live-0123456789"


def failing_within() -> None:
    raise KeyError(SECRET)


def failing() -> None:
    try:
        failing_within()
    except KeyError as error:
        raise ValueError(SECRET) from error


def line_of(message: str) -> str:
    record = logging.LogRecord("mcp_wallet", logging.ERROR, __file__, 1, message, None, None)
    try:
        failing()
    except ValueError:
        record.exc_info = sys.exc_info()
    return OneLine().format(record)


def test_a_log_line_names_places_and_causes_but_no_values():
    line = line_of("x")
    assert "ValueError at test_mcp_texts.py:" in line
    assert " in failing < test_mcp_texts.py:" in line
    assert " from KeyError at test_mcp_texts.py:" in line
    assert SECRET not in line


def test_a_log_line_is_one_line():
    line = line_of("a\nb\x1b[31m")
    assert "a\ufffdb\ufffd[31m | ValueError" in line
    assert line.isprintable()


def test_hidden_characters_are_shown_and_long_texts_cut():
    assert visible("a\x00b\u202ec\ud800", 3) == "a\ufffdb…"
    assert visible("\u200b\u2028\ud800", 3) == "\ufffd\ufffd\ufffd"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (rb'"\ud800"', rb'"\u0000"'),
        (rb'"\uDFFF x"', rb'"\u0000 x"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\u0000\ud83d\ude00"'),
        (rb'"\\ud800"', rb'"\\ud800"'),
        (rb'"\\\ud800"', rb'"\\\u0000"'),
        (b'"\xff"', rb'"\u0000"'),
        (b'"\xed\xa0\x80"', rb'"\u0000\u0000\u0000"'),
        ('"\ufffd"'.encode(), '"\ufffd"'.encode()),
    ],
)
def test_what_is_no_text_becomes_a_nul(line: bytes, expected: bytes):
    assert mended(line) == expected


def test_a_bad_line_leaves_its_neighbours_alone():
    assert mended(b'"\xff"\n"\xef\xbf\xbd"\n') == b'"\\u0000"\n"\xef\xbf\xbd"\n'


@given(st.text())
def test_text_that_is_text_is_not_touched(text: str):
    for line in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        assert mended(line.encode()) == line.encode()


@given(st.lists(st.integers(0, 0x10FFFF).map(chr)).map("".join))
def test_a_mended_line_is_json_without_half_a_pair(text: str):
    read = json.loads(mended(json.dumps(text).encode()))
    read.encode()
    assert read == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") or "\0" in read


def test_reading_gives_whole_lines_and_the_rest_at_the_end():
    source, writer = os.pipe()
    wake, waker = os.pipe()
    lines = WakeableLines(source, wake)
    os.write(writer, b"one\ntwo\nthr")
    assert lines.read1() == b"one\ntwo\n"
    os.write(writer, b"ee\nfour")
    assert lines.read1() == b"three\n"
    os.close(writer)
    assert [lines.read1(), lines.read1()] == [b"four", b""]
    for descriptor in (source, wake, waker):
        os.close(descriptor)


def test_reading_ends_when_it_is_woken():
    source, writer = os.pipe()
    wake, waker = os.pipe()
    lines = WakeableLines(source, wake)
    os.write(waker, b"\0")
    assert lines.read1() == b""
    for descriptor in (source, writer, wake, waker):
        os.close(descriptor)
