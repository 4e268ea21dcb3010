"""A home opens only as it was made: keys closed to others, settings as approved."""

import pytest

from mcp_wallet.control.home import check_approved, load_keys, locate
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.wiring.opening import open_home, open_wallet
from tests.unit.control.homes import environment_in, make_home


async def test_a_key_that_others_can_read_is_refused(tmp_path):
    made = await make_home(tmp_path, plaintext=False)
    made.paths.database_key.chmod(0o640)
    with pytest.raises(OwnerError, match=r"Others may read database\.key"):
        load_keys(made.paths, environment_in(tmp_path))


async def test_a_missing_key_is_named(tmp_path):
    made = await make_home(tmp_path)
    made.paths.home_key.unlink()
    with pytest.raises(OwnerError, match=r"home\.key is missing"):
        load_keys(made.paths, environment_in(tmp_path))


async def test_a_key_of_another_length_is_refused(tmp_path):
    made = await make_home(tmp_path)
    made.paths.home_key.write_text("abcd\n")
    with pytest.raises(OwnerError, match="64 hex digits"):
        load_keys(made.paths, environment_in(tmp_path))


async def test_settings_that_were_not_approved_do_not_serve(tmp_path):
    made = await make_home(tmp_path)
    text = made.paths.settings.read_text()
    made.paths.settings.write_text(text.replace('maxFeeWei = "1', 'maxFeeWei = "9'))
    with pytest.raises(OwnerError, match=r"wallet\.toml differs from the active settings in `chains`") as caught:
        await open_wallet(environment_in(tmp_path))
    assert caught.value.code == "CONFIG_UNAPPROVED"


async def test_comments_in_the_settings_change_nothing(tmp_path):
    made = await make_home(tmp_path)
    made.paths.settings.write_text("# mine\n" + made.paths.settings.read_text())
    wallet = await open_wallet(environment_in(tmp_path))
    await wallet.close()


@pytest.mark.parametrize("content", [b"orgId = ", b"\xff", b"colour = 1\n", b"a = 1\na = 2\n"])
async def test_an_unreadable_settings_file_is_said_in_one_sentence(tmp_path, content):
    made = await make_home(tmp_path)
    made.paths.settings.write_bytes(content)
    with pytest.raises(OwnerError) as caught:
        locate(environment_in(tmp_path))
    assert caught.value.code == "CONFIG_UNAPPROVED"
    assert "\n" not in caught.value.message


def test_no_home_says_how_to_make_one(tmp_path):
    with pytest.raises(OwnerError, match="mcp-wallet init"):
        locate(environment_in(tmp_path))


async def test_a_home_without_settings_is_never_approved(tmp_path):
    made = await make_home(tmp_path)
    with pytest.raises(OwnerError, match="no active settings"):
        check_approved(made.paths, None)


async def test_a_key_of_another_account_does_not_sign_for_this_home(tmp_path):
    await make_home(tmp_path)
    with pytest.raises(OwnerError, match="another account"):
        async with open_home(environment_in(tmp_path, private_key="0x" + "11" * 32)):
            pass
