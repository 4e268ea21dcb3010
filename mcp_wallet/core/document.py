"""Typed reading of a JSON document that this wallet wrote itself; any other shape is a `TypeError`, never a guess."""

from collections.abc import Mapping, Sequence

from mcp_wallet.core.canonical import Json


def as_mapping(value: Json) -> Mapping[str, Json]:
    """Return the value as an object."""
    if not isinstance(value, Mapping):
        raise _unexpected(wanted="an object")
    return value


def as_items(value: Json) -> Sequence[Json]:
    """Return the value as an array."""
    if not isinstance(value, list | tuple):
        raise _unexpected(wanted="an array")
    return value


def as_text(value: Json) -> str:
    """Return the value as text."""
    if not isinstance(value, str):
        raise _unexpected(wanted="text")
    return value


def as_texts(value: Json) -> list[str]:
    """Return the value as an array of text."""
    return [as_text(item) for item in as_items(value)]


def number_at(holder: Mapping[str, Json], key: str) -> int | None:
    """Return the integer that stands there as decimal text; None when the key is absent."""
    value = holder.get(key)
    return None if value is None else int(as_text(value))


def _unexpected(*, wanted: str) -> TypeError:
    return TypeError(f"the document holds something else where {wanted} belongs")
