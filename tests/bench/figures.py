"""Rows of the benchmark: a figure, its floor, their ratio and the bar it must reach."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row; `ratio` is figure to floor the way the bar wants it, `higher_is_better` says which way that is."""

    id: str
    figure: float
    unit: str
    floor: float
    ratio: float
    bar: float
    higher_is_better: bool = False

    @property
    def ok(self) -> bool:
        """Whether the row reaches its bar."""
        return self.ratio >= self.bar if self.higher_is_better else self.ratio <= self.bar

    def document(self) -> dict[str, object]:
        """Return the row as `bench.json` has it."""
        return asdict(self) | {"ok": self.ok}


def paired(measure: Callable[[], float], floor: Callable[[], float], *, rounds: int) -> tuple[float, float, float]:
    """Return medians of figure, floor and their ratio pair by pair, so that a drifting machine hits both alike."""
    pairs = [(floor(), measure()) for _ in range(rounds)]
    return medians(pairs)


def medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the medians of figures, floors and ratios of (floor, figure) pairs."""
    return (
        statistics.median(figure for _, figure in pairs),
        statistics.median(floor for floor, _ in pairs),
        statistics.median(figure / floor for floor, figure in pairs),
    )
