"""The wallet's MCP server as a module, for tools that import one: `mcp dev server.py`, `mcp run server.py`.

With an agent's key in the environment it serves that agent's home, else a playground with play money. Without a file,
`mcp-wallet serve` and `mcp-wallet serve --dev` are the same.
"""

import os

from mcp_wallet import create_server

mcp = create_server(dev=not os.environ.get("MCP_WALLET_AGENT_KEY"))

if __name__ == "__main__":
    mcp.run()
