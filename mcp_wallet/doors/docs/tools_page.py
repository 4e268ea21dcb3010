"""docs/tools.md: what a model sees, tool by tool."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from mcp_wallet.contract.tools import TOOLSETS, Tool
from mcp_wallet.doors.docs.markdown import page, table

OPENING: Final = """\
# Tools

What an agent can call, the same through MCP and LangChain. Arguments are text unless the table says otherwise; an
argument that a tool does not have is refused. A denial is a normal result with [reason codes](reason-codes.md); bad
arguments are a tool error of one sentence that says what to send. The schemas as a client gets them are in
[schemas/tools.json](schemas/tools.json)."""


def tools_page(tools: Iterable[Tool]) -> str:
    """Return the page."""
    return page(OPENING, *(part for tool in tools for part in _tool(tool)), _toolsets())


def tool_rows(tools: Iterable[Tool]) -> str:
    """Return the README's table: each tool and the first sentence of its description."""
    return table(("tool", "does"), [(f"`{tool.name}`", _first(tool.description)) for tool in tools])


def tool_schemas(tools: Iterable[Tool]) -> Mapping[str, object]:
    """Return the schemas and hints of each tool, as a client gets them."""
    return {
        tool.name: {
            "title": tool.title,
            "description": tool.description,
            "inputSchema": tool.input_schema(),
            "outputSchema": tool.output_schema(),
            "annotations": _hints(tool),
        }
        for tool in tools
    }


def _tool(tool: Tool) -> Iterable[str]:
    yield f"## {tool.name}"
    yield tool.description
    yield f"Hints to the client: {', '.join(_words(tool))}."
    arguments = _properties(tool.input_schema())
    required = tool.input_schema()["required"]
    if arguments:
        rows = [(f"`{n}`", _type(s), _default(n, s, required), str(s["description"])) for n, s in arguments.items()]
        yield table(("argument", "type", "default", "meaning"), rows)
    else:
        yield "It takes no arguments."
    results = _properties(tool.output_schema())
    yield table(("result", "type", "meaning"), [(f"`{n}`", _type(s), _about(s)) for n, s in results.items()])


def _toolsets() -> str:
    groups = ", ".join(f"`{name}`" for name in TOOLSETS)
    return f"## Fewer tools\n\n`serve --read-only` offers none that can pay; `serve --toolsets` takes some of {groups}."


def _properties(schema: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    found = schema["properties"]
    return found if isinstance(found, dict) else {}


def _type(schema: Mapping[str, object]) -> str:
    kind, items = str(schema.get("type", "")), schema.get("items")
    name = {"string": "text", "boolean": "true or false", "integer": "whole number"}.get(kind, kind)
    if isinstance(items, dict):
        name = f"list of {_type(items)}"
    if "maxLength" in schema:
        name += f", at most {schema['maxLength']} characters"
    if "maximum" in schema:
        name += f", {schema['minimum']} to {schema['maximum']}"
    return name


def _default(name: str, schema: Mapping[str, object], required: object) -> str:
    if isinstance(required, Sequence) and name in required:
        return "required"
    return f"`{schema['default']}`" if schema["default"] != "" else "empty"


def _about(schema: Mapping[str, object]) -> str:
    return str(schema.get("description", ""))


def _hints(tool: Tool) -> Mapping[str, bool]:
    return {
        "readOnlyHint": tool.read_only,
        "destructiveHint": tool.destructive,
        "idempotentHint": tool.idempotent,
        "openWorldHint": tool.open_world,
    }


def _words(tool: Tool) -> Iterable[str]:
    yield "reads only" if tool.read_only else "changes something"
    yield "destructive" if tool.destructive else "not destructive"
    yield "idempotent" if tool.idempotent else "not idempotent"
    yield "open world" if tool.open_world else "closed world"


def _first(description: str) -> str:
    """Return the first sentence."""
    return description.partition(". ")[0].rstrip(".")
