"""Does every decision come out again, byte for byte, from nothing but the trail?"""

from pathlib import Path

from mcp_wallet.control.audit.replay import replay_trail
from tests.trails import lived


async def test_a_lived_ledger_replays_byte_for_byte(tmp_path: Path):
    found = await lived(tmp_path)
    report = replay_trail(found.trail())
    assert report.document()["mismatches"] == []
    assert report.ok
    assert report.equal == report.decisions > 10
