"""Sentences for what the models refuse: what is wrong with a field, and the right name for a misspelt one."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mcp_wallet.core.policy_language import COUNT_MAX
from mcp_wallet.core.policy_source import FieldPath, Problem, Source, shown

Models = Mapping[str, type[BaseModel]]
"""The model of the objects below a field, under the field's name."""

_SENTENCES: Final = {
    "string_type": "this must be text: put it in quotes",
    "int_type": "this must be a whole number, without quotes",
    "bool_type": "this must be true or false",
    "list_type": "this must be a list",
    "dict_type": "this must be an object",
    "model_type": "this must be an object",
    "model_attributes_type": "this must be an object",
    "too_short": "an empty list allows nothing here: name at least one",
    "string_too_short": "this must not be empty",
    "string_too_long": "this is too long",
    "greater_than_equal": "this must be at least 1",
    "less_than_equal": f"this must be at most {COUNT_MAX}",
}


def shape_problems(
    source: Source, error: ValidationError, *, top: type[BaseModel], models: Models
) -> Iterator[Problem]:
    """Yield what the models refused, each at its place.

    Args:
        source: The file.
        error: What the model said.
        top: The model of the whole file.
        models: Those below it, to find the nearest right name for an unknown field.
    """
    for found in error.errors(include_url=False):
        yield _problem(source, found, top, models)


def _problem(source: Source, found: ErrorDetails, top: type[BaseModel], models: Models) -> Problem:
    kind, path = found["type"], found["loc"]
    if kind == "extra_forbidden":
        return source.problem(path, _unknown_field(path, top, models), at_key=True)
    if kind == "missing":
        return source.problem(path[:-1], f"the field {shown(path[-1])} is missing", at_key=True)
    if kind == "literal_error":
        return source.problem(path, _literal_sentence(path, found))
    if kind == "value_error":
        return source.problem(path, found["msg"].removeprefix("Value error, "))
    return source.problem(path, _SENTENCES.get(kind, "this value is not usable here"))


def _literal_sentence(path: FieldPath, found: ErrorDetails) -> str:
    expected = str(found.get("ctx", {}).get("expected", "")).replace("'", "`")
    if path == ("version",):
        return "this wallet reads version 1 of the language: write `version: 1`"
    return f"this must be {expected}" if "`" in expected else "this value is not usable here"


def _unknown_field(path: FieldPath, top: type[BaseModel], models: Models) -> str:
    """Return the sentence for an unknown field, with the nearest right name where one is near."""
    field = str(path[-1])
    model = next((models[str(part)] for part in reversed(path[:-1]) if part in models), top)
    known = [f.alias or name for name, f in model.model_fields.items()]
    near = difflib.get_close_matches(field, known, n=1)
    return f"there is no field {shown(field)}" + (f": did you mean `{near[0]}`?" if near else " here")
