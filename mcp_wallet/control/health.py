"""What `doctor` says: findings with the command that mends each, and what this shape resists."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mcp_wallet.core.canonical import Json


class Verdict(StrEnum):
    """How a check came out; `UNKNOWN` is what could not be found out, `INTEGRITY` is what the trail shows."""

    OK = "ok"
    NOTICE = "notice"
    UNKNOWN = "unknown"
    FAILED = "failed"
    INTEGRITY = "integrity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Args:
        sentence: What was found.
        mend: The command or act that puts it right; empty when nothing is wrong.
    """

    name: str
    verdict: Verdict
    sentence: str
    mend: str = ""

    def document(self) -> Json:
        """Return the check for `--json`."""
        return {
            "check": self.name,
            "verdict": str(self.verdict),
            "ok": self.verdict in (Verdict.OK, Verdict.NOTICE),
            "message": self.sentence,
            "mend": self.mend,
        }


RESISTANCE: Final[Sequence[tuple[str, str]]] = (
    ("the model, prompt injection, a hostile tool description, a hostile MCP client", "yes"),
    (
        "code running as the agent's OS user (an agent with a shell)",
        "no: detected (outflow watch, anchors), not prevented",
    ),
    ("root on the agent's machine", "no"),
    ("one operator alone", "four eyes, unless solo"),
)
"""Attacker and whether the embedded shape, one OS user, resists; the same table stands in docs/threat-model.md."""


def worst(checks: Sequence[Check]) -> Verdict:
    """Return the worst verdict; a failure that is known weighs more than what could not be found out."""
    order = list(Verdict)
    return max((check.verdict for check in checks), key=order.index, default=Verdict.OK)
