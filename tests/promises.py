"""Every promise that our documents make, and the mark that ties a test to one.

To promise something: add a row to `PROMISES` and put `@promise("its-id")` on each test that shows it. The build
fails when a promise has no test and when a test names a promise that is not here (`tests/test_promises.py`); both
are read from the source, so they hold in every worker and for tests that were skipped or not selected.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Promise:
    """One sentence that an owner may rely on.

    Attributes:
        id: Lower-case words joined by hyphens; never used again for another meaning.
        sentence: What is promised, as a reader of the documents would put it.
        where: The document and section that promises it.
    """

    id: str
    sentence: str
    where: str


PROMISES: Final[tuple[Promise, ...]] = (
    Promise("light-import", "Importing the package imports none of its heavy dependencies.", "CONTRIBUTING"),
    Promise("no-float", "No float takes part in any rule.", "CONTRIBUTING"),
    Promise("exactly-once", "Each approved payment leaves exactly once, whatever crashes.", "README"),
    Promise("bytes-are-the-payment", "Bytes that differ from the approved payment are never signed.", "README"),
    Promise("no-overspend", "Held plus confirmed never exceeds a limit, over any number of processes.", "README"),
    Promise("duplicate-reference", "A reference is paid once.", "docs/threat-model.md"),
    Promise("default-deny", "What no allow rule admits is denied, whoever would approve it.", "docs/threat-model.md"),
    Promise("deny-wins", "A matching deny rule denies, in any order of rules.", "docs/threat-model.md"),
    Promise("tightening-never-opens", "A stricter policy never lets more through.", "docs/threat-model.md"),
    Promise("fail-closed", "What cannot be evaluated is denied.", "docs/threat-model.md"),
    Promise("second-gate", "A second gate, written independently, decides the same.", "docs/adr/0002"),
    Promise("pages-follow-code", "A generated page says what the code says, or `make check` fails.", "CONTRIBUTING"),
    Promise("diff-is-exact", "No payment contradicts what a diff says of two policies.", "docs/adr/0016"),
    Promise("four-eyes", "Unless the home is solo, nobody loosens anything alone.", "docs/threat-model.md"),
    Promise("kill-switch", "No payment that begins after `kill` returned proceeds, in any process.", "README"),
)

_IDS: Final = frozenset(row.id for row in PROMISES)


def promise(promise_id: str) -> Callable[[Test], Test]:
    """Return a decorator that leaves the test as it is; the mark itself is what `test_promises.py` reads.

    Raises:
        LookupError: If no row has this id, so that a misspelt mark stops its own file at once.
    """
    if promise_id not in _IDS:
        msg = f"no promise has the id `{promise_id}`: add it to PROMISES in tests/promises.py"
        raise LookupError(msg)
    return lambda test: test
