"""Where an error came from, without what it says: a library's message may hold a node's address with its key."""

from pathlib import PurePath
from types import TracebackType
from typing import Final

CAUSES_MAX: Final = 4


def trace_of(error: BaseException) -> str:
    """Return kinds and places of an error and its causes: `KeyError at desk.py:12 in pay < server.py:40 in call`."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(parts) < CAUSES_MAX:
        parts.append(f"{type(cause).__name__} at {_places_of(cause.__traceback__)}")
        cause = cause.__cause__ or cause.__context__
    return " from ".join(parts)


def _places_of(trace: TracebackType | None) -> str:
    places: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{PurePath(code.co_filename).name}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(places)) or "an unknown place"
