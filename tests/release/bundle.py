"""The MCP bundle: one file that a desktop client installs, with the wheel inside and the rest fetched by uv.

python -m tests.release.bundle EPOCH        writes dist/mcp-wallet-VERSION.mcpb beside the wheel
"""

import io
import json
import sys
import time
import zipfile
from pathlib import Path
from typing import Any, Final

from tests.release.building import ROOT

PROJECT: Final = """\
[project]
name = "mcp-wallet-bundle"
version = "{version}"
requires-python = ">=3.11"
dependencies = ["mcp-wallet[devnet]"]

[tool.uv]
package = false

[tool.uv.sources]
mcp-wallet = {{path = "{wheel}"}}
"""


def manifest() -> dict[str, Any]:
    """Return the bundle's manifest."""
    return dict(json.loads((ROOT / "mcpb" / "manifest.json").read_text("utf-8")))


def bundle_of(wheel: Path, *, epoch: int) -> bytes:
    """Return the bundle of a wheel: the same bytes for the same wheel and time.

    Args:
        epoch: Time of every file inside, in seconds.
    """
    project = PROJECT.format(version=manifest()["version"], wheel=wheel.name)
    held = {
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
        "manifest.json": (ROOT / "mcpb" / "manifest.json").read_bytes(),
        "pyproject.toml": project.encode(),
        "server.py": (ROOT / "examples" / "server.py").read_bytes(),
        wheel.name: wheel.read_bytes(),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(held.items()):
            entry = zipfile.ZipInfo(name, time.gmtime(epoch)[:6])
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return packed.getvalue()


def main() -> int:
    """Write the bundle of the wheel in dist/."""
    (wheel,) = (ROOT / "dist").glob("*.whl")
    (ROOT / "dist" / bundle_name()).write_bytes(bundle_of(wheel, epoch=int(sys.argv[1])))
    return 0


def bundle_name() -> str:
    """Return the name of the bundle's file."""
    return f"mcp-wallet-{manifest()['version']}.mcpb"


if __name__ == "__main__":
    sys.exit(main())
