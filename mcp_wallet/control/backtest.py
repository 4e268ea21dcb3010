"""What a candidate would have decided over a stretch of the recorded trail."""

import re

from mcp_wallet.contract.events import parse_rfc3339_ms
from mcp_wallet.control.audit.trail import Trail
from mcp_wallet.control.audit.verify import PROGRESS_ROWS, Progress
from mcp_wallet.control.retrial import Retrial, RetrialReport
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.document import as_text
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.policy_language import time_ms
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings


def backtest(
    trail: Trail,
    candidate: CompiledPolicy,
    settings: Settings,
    *,
    from_ms: int | None,
    to_ms: int | None,
    progress: Progress | None = None,
) -> RetrialReport:
    """Return what would have changed in [from_ms, to_ms), of decisions made under the candidate's policy id.

    Every event is read, also those before: they are the past that the candidate's limits count.

    Raises:
        OutsideError: When the ledger cannot be read.
    """
    retrial, report, total = Retrial(candidate, settings), RetrialReport(), trail.size() if progress else 0
    for count, row in enumerate(trail.rows(), 1):
        retried = retrial.take(row)
        if retried is not None:
            at_ms = parse_rfc3339_ms(as_text(retried.event["timestamp"]))
            if (from_ms or 0) <= at_ms and (to_ms is None or at_ms < to_ms):
                report.add(retried)
        if progress and (not count % PROGRESS_ROWS or count == total):
            progress(count, total)
    return report


def moment_ms(text: str) -> int | None:
    """Return a day or a time in Unix milliseconds, None for an empty text; `CallerError(INTENT_INVALID)` for others."""
    if not text:
        return None
    try:
        return time_ms(f"{text}T00:00:00Z" if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else text)
    except ValueError:
        sentence = f"`{text[:40]}` is no time: write 2026-03-01 or 2026-03-01T08:00:00Z."
        raise CallerError(ReasonCode.INTENT_INVALID, sentence) from None
