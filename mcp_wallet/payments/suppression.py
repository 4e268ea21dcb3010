"""Refusals that must not fill the disk: one trail event per agent, code and minute instead of one per call."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_wallet.core.reasons import ReasonCode

MINUTE_MS: Final = 60_000


@dataclass(slots=True)
class Suppressed:
    """Counts refusals for rate, credentials and malformed arguments.

    Args:
        clock: Wall clock in Unix milliseconds.
    """

    clock: Callable[[], int]
    _counts: Counter[tuple[int, str, str]] = field(default_factory=Counter)

    def count(self, agent_id: str, code: ReasonCode) -> None:
        """Count one refusal of an agent (empty when the credential names none)."""
        self._counts[self.clock() // MINUTE_MS, agent_id, str(code)] += 1

    def take(self, *, all_of_them: bool = False) -> list[tuple[str, str, int]]:
        """Return and forget (agent, code, count) of the minutes that are over, or of all at the end."""
        current = self.clock() // MINUTE_MS
        ready = [key for key in self._counts if all_of_them or key[0] < current]
        return [(agent, code, self._counts.pop((minute, agent, code))) for minute, agent, code in ready]
