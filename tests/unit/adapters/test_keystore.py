import json
import os
import stat
from pathlib import Path

import pytest

from mcp_wallet.adapters.environment_key import EnvironmentSigner, _warn
from mcp_wallet.adapters.keystore import KeystoreSigner, create_keystore
from mcp_wallet.core.errors import OutsideError, OwnerError
from mcp_wallet.core.reasons import ReasonCode
from tests.approved import KEY, approved, sealed

SECRET = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
PASSWORD = "correct horse"
CHEAP = 2
"""Scrypt cost for tests."""


@pytest.fixture
async def keystore(tmp_path):
    path = tmp_path / "key.json"
    await create_keystore(path, PASSWORD, secret=SECRET, scrypt_n=CHEAP)
    return path


async def test_a_new_keystore_is_a_private_file_of_an_account_nobody_had(tmp_path):
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    first = await create_keystore(one, PASSWORD, scrypt_n=CHEAP)
    second = await create_keystore(other, PASSWORD, scrypt_n=CHEAP)
    assert first != second
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.json", "other.json"]
    assert KeystoreSigner(one, PASSWORD).address == first


async def test_the_file_is_web3_secret_storage_and_opens_elsewhere(keystore):
    from eth_account import Account  # noqa: PLC0415  the oracle

    document = json.loads(keystore.read_text())
    assert (document["version"], document["crypto"]["kdf"]) == (3, "scrypt")
    assert bytes(Account.decrypt(document, PASSWORD)) == SECRET
    assert SECRET.hex() not in keystore.read_text()


async def test_the_address_is_known_without_the_password(keystore):
    assert KeystoreSigner(keystore, "wrong").address == KEY.address


async def test_it_signs_what_was_sealed_and_the_same_again_after_a_restart(keystore):
    good = sealed(approved())
    first = await KeystoreSigner(keystore, PASSWORD).sign(good)
    assert first == await KeystoreSigner(keystore, PASSWORD).sign(good) == KEY.sign(good)


async def test_it_is_opened_once(keystore):
    signer = KeystoreSigner(keystore, PASSWORD)
    await signer.unlock()
    keystore.unlink()
    assert await signer.sign(sealed(approved()))


async def test_a_wrong_password_is_the_owners_to_put_right(keystore):
    with pytest.raises(OwnerError, match="password is wrong") as caught:
        await KeystoreSigner(keystore, "wrong").unlock()
    assert caught.value.code is ReasonCode.SIGNER_UNAVAILABLE


async def test_for_the_one_who_asks_to_sign_the_signer_is_unavailable_and_not_worth_a_retry(keystore):
    with pytest.raises(OutsideError) as caught:
        await KeystoreSigner(keystore, "wrong").sign(sealed(approved()))
    assert (caught.value.code, caught.value.retryable) == (ReasonCode.SIGNER_UNAVAILABLE, False)


async def test_a_file_with_another_accounts_key_is_not_used(keystore):
    document = json.loads(keystore.read_text())
    keystore.write_text(json.dumps(document | {"address": "ab" * 20}))
    with pytest.raises(OwnerError, match="another account"):
        await KeystoreSigner(keystore, PASSWORD).unlock()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o644, 0o610, 0o601])
async def test_a_file_open_to_others_is_refused(keystore, mode):
    keystore.chmod(mode)
    with pytest.raises(OwnerError, match="set its permissions to 0600"):
        KeystoreSigner(keystore, PASSWORD)


async def test_a_link_to_a_keystore_is_refused(keystore):
    link = keystore.with_name("link.json")
    link.symlink_to(keystore)
    with pytest.raises(OwnerError, match="cannot be opened"):
        KeystoreSigner(link, PASSWORD)


BROKEN = {
    "empty": b"",
    "no JSON": b"\x00\xff",
    "a list": b"[]",
    "deep": b"[" * 60_000,
    "version 4": b'{"version": 4}',
    "no address": b'{"version": 3}',
    "too long": b" " * 70_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_no_keystore_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "key.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(OwnerError) as caught:
        KeystoreSigner(path, PASSWORD)
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("crypto", [None, {}, {"kdf": "scrypt"}, {"kdf": "none"}, "text"])
async def test_a_damaged_keystore_is_refused_in_a_sentence(tmp_path, crypto):
    path = tmp_path / "key.json"
    path.write_text(json.dumps({"version": 3, "address": "ab" * 20, "crypto": crypto}))
    path.chmod(0o600)
    with pytest.raises(OwnerError, match="damaged"):
        await KeystoreSigner(path, PASSWORD).unlock()


def test_a_missing_file_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(OwnerError, match="missing"):
        KeystoreSigner(tmp_path / "none.json", PASSWORD)


async def test_an_existing_keystore_is_never_replaced(keystore):
    before = keystore.read_bytes()
    with pytest.raises(OwnerError, match="already"):
        await create_keystore(keystore, "other", scrypt_n=CHEAP)
    assert keystore.read_bytes() == before
    assert [p.name for p in keystore.parent.iterdir()] == [keystore.name]


async def test_an_empty_password_protects_nothing(tmp_path):
    with pytest.raises(OwnerError, match="password"):
        await create_keystore(tmp_path / "key.json", "", scrypt_n=CHEAP)


async def test_a_folder_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(OutsideError) as caught:
        await create_keystore(tmp_path / "none" / "key.json", PASSWORD, scrypt_n=CHEAP)
    assert caught.value.code is ReasonCode.SIGNER_UNAVAILABLE


async def test_key_and_password_are_in_no_text_of_a_signer(keystore):
    signer = KeystoreSigner(keystore, PASSWORD)
    await signer.unlock()
    other = EnvironmentSigner(SECRET.hex())
    shown = f"{signer!r} {signer} {other!r} {other} {vars(other)!r} {vars(signer)!r}"
    assert SECRET.hex() not in shown
    assert PASSWORD not in shown


# ------------------------------------------------------------------------------------------------ environment key


async def test_a_key_from_the_environment_signs_the_same_bytes():
    good = sealed(approved())
    for text in (SECRET.hex(), "0x" + SECRET.hex(), "0x" + SECRET.hex().upper(), SECRET.hex() + "\n"):
        signer = EnvironmentSigner(text)
        assert signer.address == KEY.address
        assert await signer.sign(good) == KEY.sign(good)


def test_it_warns_once_in_a_process(caplog):
    _warn.cache_clear()
    for _ in range(3):
        EnvironmentSigner(SECRET.hex())
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert SECRET.hex() not in caplog.text


@pytest.mark.parametrize("text", ["", "0x", "ab" * 31, "ab" * 33, "zz" * 32, "00" * 32, "ff" * 32])
def test_what_is_no_key_is_refused_and_not_repeated(text):
    with pytest.raises(OwnerError) as caught:
        EnvironmentSigner(text)
    assert not text[2:] or text not in str(caught.value)


def test_nothing_of_a_failed_write_is_left_behind(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(os, "link", fail)
    from mcp_wallet.adapters.keystore import _write_new  # noqa: PLC0415

    with pytest.raises(OSError, match="gone"):
        _write_new(Path(tmp_path / "key.json"), b"{}")
    assert list(tmp_path.iterdir()) == []
