"""Building sdist and wheel, in surroundings that must leave no trace in them."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


class BuildError(Exception):
    """The build backend said no; the text is what it printed."""


def build(source: Path, out: Path, *, epoch: int, odd: bool = False) -> list[Path]:
    """Return the files built from a source tree, sorted by name.

    Args:
        epoch: SOURCE_DATE_EPOCH, in seconds: the time of every file inside.
        odd: Build as another machine would: other umask, zone, locale and hash seed.
    """
    surroundings = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "4711"} if odd else {}
    ran = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(out)],
        check=False,
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch), **surroundings},
        umask=0o077 if odd else 0o022,
        capture_output=True,
        text=True,
    )
    if ran.returncode != 0:
        raise BuildError(ran.stdout + ran.stderr)
    return sorted(out.iterdir())


def committed_tree(folder: Path) -> Path:
    """Return a folder with what the last commit holds, and nothing of the working tree."""
    archive = folder / "head.tar"
    subprocess.run(["git", "archive", "-o", str(archive), "HEAD"], check=True, cwd=ROOT)
    return _unpacked(archive, folder / "head")


def unpacked_sdist(sdist: Path, folder: Path) -> Path:
    """Return the one folder that an sdist unpacks to."""
    (only,) = _unpacked(sdist, folder).iterdir()
    return only


def _unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder
