"""The environment says where things are, and nothing else."""

from pathlib import Path

import pytest

from mcp_wallet.control.environment import read_environment
from mcp_wallet.core.errors import OwnerError


def test_a_misspelt_name_refuses_to_start_and_names_the_nearest_right_one():
    with pytest.raises(OwnerError, match=r"`MCP_WALLET_HOEM` is not a setting.*`MCP_WALLET_HOME`"):
        read_environment({"MCP_WALLET_HOEM": "/x"})


def test_a_money_setting_cannot_come_from_the_environment():
    with pytest.raises(OwnerError, match="not a setting"):
        read_environment({"MCP_WALLET_MAX_FEE_WEI": "1"})


def test_names_of_others_are_none_of_our_business():
    assert read_environment({"HOME": "/u", "WALLET_HOME": "/x"}).agent_key == ""


def test_the_home_is_in_the_users_folder_unless_it_is_named(monkeypatch):
    monkeypatch.setenv("HOME", "/users/nora")
    assert read_environment({}).home == Path("/users/nora/.mcp-wallet")
    assert read_environment({"MCP_WALLET_HOME": "/srv/wallet"}).home == Path("/srv/wallet")


def test_secrets_do_not_show_in_its_text():
    found = read_environment({"MCP_WALLET_AGENT_KEY": "mw_secret", "MCP_WALLET_OPERATOR_TOKEN": "mwop_secret"})
    assert "secret" not in repr(found)
