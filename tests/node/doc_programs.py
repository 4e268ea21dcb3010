"""The fenced blocks of a page, and how a reader would run them."""

import ast
import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import CO_COROUTINE
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
RUN = "\nasyncio.run(main())\n"
_FENCED = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block; `shown` is the `text` block right after it, what it prints."""

    page: str
    language: str
    source: str
    shown: str

    @property
    def is_program(self) -> bool:
        """Whether it runs by itself; else it stands inside the `async with` of the page's first program."""
        return self.source.endswith(RUN)


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of `docs/<page>`, in order, without those that are only shown."""
    found = [(match[1], match[2]) for match in _FENCED.finditer((DOCS / page).read_text("utf-8"))]
    following = [*found[1:], ("", "")]
    return [
        Block(page, language, source, then[1] if then[0] == "text" else "")
        for (language, source), then in zip(found, following, strict=True)
        if language != "text"
    ]


class Session:
    """Runs snippets one after the other, as if typed inside the page's `async with`."""

    def __init__(self, first: Block, **names: Any) -> None:
        """Take what the page's first program defines, and what its `async with` gives."""
        self._names: dict[str, Any] = {}
        exec(compile(first.source.removesuffix(RUN), first.page, "exec"), self._names)
        self._names.update(names)

    async def run(self, snippet: Block) -> str:
        """Return what the snippet prints."""
        code = compile(snippet.source, snippet.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with _printed() as printed:
            outcome = eval(code, self._names)
            if code.co_flags & CO_COROUTINE:
                await outcome
        return printed.getvalue()


@contextlib.contextmanager
def _printed() -> Iterator[io.StringIO]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        yield printed
