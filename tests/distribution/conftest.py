"""The wheel as a stranger gets it: built, installed where nothing else is, used in an empty folder."""

import fcntl
import subprocess
from pathlib import Path

import pytest

from tests.distribution.installed import EPOCH, Installed
from tests.release.building import ROOT, build

APART = ROOT / ".tools" / "installed"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with sdist and wheel of the working tree."""
    pytest.importorskip("hatchling", reason="needs hatchling: run `make dev`")
    out = tmp_path_factory.mktemp("dist")
    build(ROOT, out, epoch=EPOCH)
    return out


@pytest.fixture(scope="session")
def wheel_environment(built: Path) -> Path:
    """The Python of an environment with the locked dependencies and the wheel; one worker installs, the others wait."""
    if not (APART / ".ready").exists():
        pytest.skip("needs an environment for the wheel: run `make clients`")
    (wheel,) = built.glob("*.whl")
    python, seen = APART / "bin" / "python", APART / "wheel"
    with (APART / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not seen.exists() or seen.read_bytes() != wheel.read_bytes():
            pip = [str(python), "-m", "pip", "install", "-q", "--no-index", "--no-cache-dir", "--force-reinstall"]
            subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
            seen.write_bytes(wheel.read_bytes())
    return python


@pytest.fixture
def installed(wheel_environment: Path, tmp_path: Path) -> Installed:
    return Installed(wheel_environment, tmp_path)
