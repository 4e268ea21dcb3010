"""`examples`: the programs and policies that come with the package, for who has no checkout."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

import mcp_wallet
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.cli.output import Answer, AsJson, finish

FOLDERS: Final = ("examples", "policies")
_CACHES: Final = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache"})


def examples_command(
    folder: Annotated[Path | None, typer.Argument(help="Where to write them; without it they are only listed.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the examples and policies that come with the package, or write them into a folder."""

    async def command() -> Answer:
        found = dict(shipped_files())
        if folder is not None:
            write_files(found, folder)
        names: list[Json] = [*sorted(found)]
        told = f"Written into `{folder}`:" if folder is not None else "To get them: mcp-wallet examples FOLDER"
        return Answer(
            document={"files": names, "folder": None if folder is None else str(folder)},
            lines=[told, *(f"  {name}" for name in sorted(found))],
        )

    finish(command, as_json=as_json)


def shipped_files() -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each file, such as `examples/verify_trail.py`; the same from a wheel and a checkout."""
    package = Path(mcp_wallet.__file__).parent
    root = package / "shipped" if (package / "shipped").is_dir() else package.parent
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and _CACHES.isdisjoint(path.parts):
                yield path.relative_to(root).as_posix(), path.read_bytes()


def write_files(files: dict[str, bytes], folder: Path) -> None:
    """Write the files below a folder; none is written when one of them stands there already.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED` when a file is there already or the folder cannot be written.
    """
    if standing := [name for name in files if (folder / name).exists()]:
        raise OwnerError(
            ReasonCode.CONFIG_UNAPPROVED,
            f"`{standing[0]}` stands in that folder already: nothing is overwritten, choose another folder.",
        )
    try:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    except OSError as problem:
        raise OwnerError(
            ReasonCode.CONFIG_UNAPPROVED, "The folder cannot be written: choose one that is yours."
        ) from problem
