"""The wallet in a Python program: the same home, gates, ledger and trail as behind the MCP server."""
