"""`make release-check`: dist/ is what the last commit builds to, byte for byte, wherever and from whatever it is built.

    python -m tests.release EPOCH

Exit 0 with the sums of the files to publish; 1 with each thing that is not so.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.release.building import ROOT, BuildError, build, committed_tree, unpacked_sdist
from tests.release.bundle import bundle_name, bundle_of, manifest

MAX_BYTES = 4 * 1024 * 1024


def differences(mine: list[Path], theirs: list[Path], how: str) -> Iterator[str]:
    """Yield a sentence for each file that is missing or has other bytes."""
    named = {path.name: path for path in theirs}
    for path in mine:
        if path.name not in named:
            yield f"{path.name} is not built {how}"
        elif path.read_bytes() != named[path.name].read_bytes():
            yield f"{path.name} has other bytes {how}: {', '.join(_inside(path, named[path.name])) or 'the container'}"


def rebuilt(files: list[Path], epoch: int, folder: Path) -> Iterator[str]:
    """Yield what differs when the committed files, and the sdist, are built again as on another machine."""
    head = committed_tree(folder)
    yield from differences(files, build(head, folder / "a", epoch=epoch, odd=True), "from the committed files")
    sdist = next(path for path in files if path.name.endswith(".tar.gz"))
    tree = unpacked_sdist(sdist, folder / "sdist")
    yield from differences(files, build(tree, folder / "b", epoch=epoch, odd=True), "from the sdist")


def contents(wheel: Path) -> Iterator[str]:
    """Yield what should not be in a wheel: foreign folders, files of a machine, paths of this one."""
    places = {str(ROOT).encode(), str(Path.home()).encode() + b"/"}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            top = name.split("/")[0]
            if top not in {"mcp_wallet", "langchain_tools"} and not top.endswith(".dist-info"):
                yield f"{name} does not belong into the wheel"
            if re.search(r"\.(pyc|db|key|env|log)$", name):
                yield f"{name} is a file of a machine"
            if any(place in archive.read(name) for place in places):
                yield f"{name} holds a path of this machine"
    if wheel.stat().st_size > MAX_BYTES:
        yield f"{wheel.name} is larger than {MAX_BYTES} bytes"


def bundled(wheel: Path, epoch: int) -> Iterator[str]:
    """Yield what is wrong with the bundle beside a wheel."""
    bundle = wheel.parent / bundle_name()
    if not bundle.exists() or bundle.read_bytes() != bundle_of(wheel, epoch=epoch):
        yield f"{bundle.name} is not the bundle of {wheel.name}"


def versions(wheel: Path) -> Iterator[str]:
    """Yield where another version stands than the one that was built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    if wheel.name != f"mcp_wallet-{project['version']}-py3-none-any.whl":
        yield f"{wheel.name} is not version {project['version']}"
    server = json.loads((ROOT / "server.json").read_text("utf-8"))
    said = {"server.json": server["version"], "its package": server["packages"][0]["version"]}
    for where, version in (said | {"mcpb/manifest.json": manifest()["version"]}).items():
        if version != project["version"]:
            yield f"{where} says version {version}, pyproject.toml {project['version']}"


def uncommitted() -> Iterator[str]:
    """Yield what was changed and not committed: a release is a commit."""
    status = subprocess.run(["git", "status", "--porcelain"], check=True, cwd=ROOT, capture_output=True, text=True)
    for line in status.stdout.splitlines():
        yield f"{line[3:]} is not committed"


def check(epoch: int) -> list[str]:
    """Return all that is wrong with dist/."""
    built = ROOT / "dist"
    files = sorted([*built.glob("*.whl"), *built.glob("*.tar.gz")])
    wheel = next(path for path in files if path.suffix == ".whl")
    with tempfile.TemporaryDirectory() as folder:
        again = list(rebuilt(files, epoch, Path(folder)))
    return [*uncommitted(), *again, *contents(wheel), *bundled(wheel, epoch), *versions(wheel)]


def main() -> int:
    """Print the sums or what is wrong, and return the exit code."""
    try:
        wrong = check(int(sys.argv[1]))
    except BuildError as failure:
        wrong = [str(failure)]
    for sentence in wrong:
        print(f"release-check: {sentence}", file=sys.stderr)
    if not wrong:
        for path in sorted((ROOT / "dist").iterdir()):
            print(hashlib.sha256(path.read_bytes()).hexdigest(), "", path.name)
    return 1 if wrong else 0


def _inside(one: Path, other: Path) -> list[str]:
    """Return which files differ inside two wheels; nothing for other containers."""
    if one.suffix != ".whl":
        return []
    with zipfile.ZipFile(one) as left, zipfile.ZipFile(other) as right:
        names = sorted({*left.namelist()} | {*right.namelist()})
        held = {*left.namelist()} & {*right.namelist()}
        return [name for name in names if name not in held or left.read(name) != right.read(name)][:10]


if __name__ == "__main__":
    sys.exit(main())
