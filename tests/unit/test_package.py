"""The package's face: light, and the same version everywhere."""

import tomllib
from pathlib import Path

import pytest

import mcp_wallet
from mcp_wallet.core.errors import CallerError, WalletError


def test_the_version_is_the_distributions():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert mcp_wallet.__version__ == project["version"]


def test_public_names_are_found_when_they_are_used():
    assert mcp_wallet.CallerError is CallerError
    assert issubclass(mcp_wallet.OutsideError, WalletError)
    assert "OwnerError" in dir(mcp_wallet)


def test_every_public_name_exists():
    assert all(getattr(mcp_wallet, name) is not None for name in mcp_wallet._PUBLIC)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        _ = mcp_wallet.nothing
