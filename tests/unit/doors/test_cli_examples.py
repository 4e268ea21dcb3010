"""The examples and policies are handed out as they are, and nothing of the reader's is overwritten."""

from pathlib import Path

from tests.unit.doors.commands import Commands

ROOT = Path(__file__).parents[3]


def test_they_are_listed():
    ran = Commands()("examples", "--json")
    assert ran.code == 0
    assert {"examples/verify_trail.py", "policies/refund-agent.yaml"} <= set(ran.document["files"])


def test_they_are_written_as_they_are(tmp_path):
    ran = Commands()("examples", str(tmp_path / "mine"), "--json")
    assert ran.code == 0
    for name in ran.document["files"]:
        assert (tmp_path / "mine" / name).read_bytes() == (ROOT / name).read_bytes()


def test_nothing_is_overwritten_and_nothing_written_beside_what_stands_there(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "refund-agent.yaml").write_text("mine")
    ran = Commands()("examples", str(tmp_path))
    assert ran.code == 1
    assert ran.err.startswith("CONFIG_UNAPPROVED: `policies/refund-agent.yaml` stands in that folder already")
    assert (tmp_path / "policies" / "refund-agent.yaml").read_text() == "mine"
    assert not (tmp_path / "examples").exists()


def test_a_folder_that_cannot_be_written_is_refused_without_its_path(tmp_path):
    (tmp_path / "file").write_text("")
    ran = Commands()("examples", str(tmp_path / "file" / "below"))
    assert ran.code == 1
    assert ran.err == "CONFIG_UNAPPROVED: The folder cannot be written: choose one that is yours.\n"
