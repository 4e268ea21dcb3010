"""A bare MCP server with one tool: the floor of every figure over stdio."""

from mcp.server import MCPServer

mcp = MCPServer("echo")


@mcp.tool()
async def echo(text: str) -> str:
    """Return the text."""
    return text


if __name__ == "__main__":
    mcp.run("stdio")
