"""An open wallet goes by settings that come in force while it runs."""

from mcp_wallet.core.identifiers import ChainId
from mcp_wallet.core.settings_changes import next_settings
from mcp_wallet.ports import Actor
from mcp_wallet.wiring.opening import open_home, open_wallet
from tests.unit.control.homes import environment_in, make_home

LOCAL = ChainId("eip155:31337")
BASE = ChainId("eip155:8453")
OWNER = Actor(kind="operator", name="owner")


async def test_nodes_of_new_settings_are_reached_by_a_wallet_that_is_open(tmp_path):
    await make_home(tmp_path)
    wallet = await open_wallet(environment_in(tmp_path))
    before = wallet._chains.by_id[LOCAL]
    source = {
        "orgId": "org_test",
        "logId": wallet.settings.log_id,
        "environment": "production",
        "solo": True,
        "plaintext": True,
        "chains": {
            name: {"nodes": ["http://127.0.0.1:2"], "maxFeeWei": str(10**15), "maxFeePerDayWei": str(10**16)}
            for name in ("local", "base")
        },
    }
    async with open_home(environment_in(tmp_path)) as home:
        await home.ledger.apply_settings(next_settings(home.settings, source), actor=OWNER)
    assert BASE not in wallet._chains.by_id
    await wallet.follow_settings()
    assert wallet.settings.version == "2"
    assert wallet._settlement.settings is wallet.settings
    assert BASE in wallet._chains.by_id
    assert wallet._chains.by_id[LOCAL] is not before
    kept = wallet._chains.by_id[LOCAL]
    await wallet.follow_settings()
    assert wallet._chains.by_id[LOCAL] is kept
    await wallet.close()
