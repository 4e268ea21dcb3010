"""One process of a home settles; the next takes over when it is gone."""

import pytest

from mcp_wallet.adapters.lease import FileLease
from mcp_wallet.core.errors import OutsideError


def test_only_one_holds_it_at_a_time(tmp_path):
    one, two = FileLease(tmp_path / "lock"), FileLease(tmp_path / "lock")
    assert (one.acquire(), two.acquire(), one.acquire()) == (True, False, True)


def test_it_is_free_again_when_it_was_given_back(tmp_path):
    one, two = FileLease(tmp_path / "lock"), FileLease(tmp_path / "lock")
    one.acquire()
    one.release()
    one.release()
    assert two.acquire()


def test_a_folder_that_is_gone_is_an_accident_that_passes(tmp_path):
    with pytest.raises(OutsideError, match="cannot be written to"):
        FileLease(tmp_path / "gone" / "lock").acquire()
