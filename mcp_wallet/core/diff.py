"""What a change of policy changes: whether it only tightens, only loosens, does both, or changes nothing.

A change that cannot be compared counts as both: it needs the people that a loosening needs.
"""

from enum import StrEnum

from mcp_wallet.core.compile import CompiledPolicy


class Classification(StrEnum):
    """How a new version of a policy stands towards the one before it."""

    TIGHTENS = "tightens"
    LOOSENS = "loosens"
    BOTH = "both"
    NEUTRAL = "neutral"

    @property
    def is_loosening(self) -> bool:
        """Whether something that was refused or needed people may pass now: such a change needs a second person."""
        return self in {Classification.LOOSENS, Classification.BOTH}


def classify(old: CompiledPolicy | None, new: CompiledPolicy) -> Classification:
    """Return how `new` stands towards `old`; without an old version everything was denied.

    Args:
        old: The version in force, compiled with the settings in force; None when there is none.
        new: The candidate, compiled with the settings that it would decide under.
    """
    if old is None:
        return Classification.LOOSENS if new.rules else Classification.NEUTRAL
    same = (old.hash, old.settings_hash) == (new.hash, new.settings_hash)
    return Classification.NEUTRAL if same else Classification.BOTH
