"""Does the release check find what would make a release untrue?"""

import shutil
import zipfile
from pathlib import Path

import pytest

from tests.distribution.installed import EPOCH
from tests.release.__main__ import contents, differences, versions
from tests.release.building import ROOT, build, unpacked_sdist


def test_the_same_bytes_come_out_of_the_sdist_elsewhere(built: Path, tmp_path: Path):
    files = sorted(built.iterdir())
    (sdist,) = built.glob("*.tar.gz")
    again = build(unpacked_sdist(sdist, tmp_path / "tree"), tmp_path / "dist", epoch=EPOCH, odd=True)
    assert list(differences(files, again, "from the sdist")) == []


def test_a_changed_line_gives_other_bytes_and_the_check_names_the_file(built: Path, tmp_path: Path):
    (sdist,) = built.glob("*.tar.gz")
    tree = unpacked_sdist(sdist, tmp_path / "tree")
    changed = tree / "mcp_wallet" / "core" / "amount.py"
    changed.write_text(changed.read_text("utf-8") + "\n", "utf-8")
    again = build(tree, tmp_path / "dist", epoch=EPOCH)
    told = list(differences(sorted(built.iterdir()), again, "from the sdist"))
    assert len(told) == 2
    assert "mcp_wallet/core/amount.py" in "".join(told)


def test_a_missing_file_is_named(built: Path):
    assert next(differences(sorted(built.iterdir()), [], "here")).endswith(" is not built here")


def test_a_wheel_holds_nothing_of_this_machine(built: Path):
    (wheel,) = built.glob("*.whl")
    assert list(contents(wheel)) == []
    assert list(versions(wheel)) == []


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("tests/test_x.py", b"", "does not belong"),
        ("mcp_wallet/x.pyc", b"", "is a file of a machine"),
        ("mcp_wallet/x.py", str(ROOT).encode(), "holds a path of this machine"),
    ],
)
def test_what_does_not_belong_into_a_wheel_is_named(
    built: Path, tmp_path: Path, name: str, content: bytes, sentence: str
):
    (wheel,) = built.glob("*.whl")
    spoilt = Path(shutil.copy(wheel, tmp_path))
    with zipfile.ZipFile(spoilt, "a") as archive:
        archive.writestr(name, content)
    (told,) = contents(spoilt)
    assert told.startswith(name)
    assert sentence in told


def test_the_wheel_holds_what_the_playground_is_made_of(built: Path):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"mcp_wallet/devnet/mock_usdc.json", "mcp_wallet/py.typed", "langchain_tools/py.typed"} <= names
    assert "mcp_wallet/shipped/policies/refund-agent.yaml" in names
