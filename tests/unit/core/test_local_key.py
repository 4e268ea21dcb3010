import pytest
from eth_keys.datatypes import PrivateKey

from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.local_key import LocalKey
from mcp_wallet.core.transaction import assemble_signed, decode_signed, signing_hash
from tests.approved import KEY, approved, sealed

SECRET = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")


def test_the_account_is_the_one_that_every_wallet_derives():
    assert LocalKey(SECRET).address == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"


def test_the_signature_is_the_one_that_another_library_makes():
    good = sealed(approved())
    signed = decode_signed(KEY.sign(good))
    oracle = PrivateKey(SECRET).sign_msg_hash(signing_hash(good.unsigned))
    assert signed.sender == KEY.address
    assert KEY.sign(good) == assemble_signed(good.unsigned, oracle.v, oracle.r, oracle.s)


@pytest.mark.parametrize("secret", [b"", b"\1" * 31, b"\1" * 33, bytes(32), b"\xff" * 32])
def test_what_is_no_key_is_refused_without_being_repeated(secret):
    with pytest.raises(OwnerError) as caught:
        LocalKey(secret)
    assert secret.hex() not in str(caught.value) or not secret
    assert caught.value.__cause__ is None


def test_the_secret_is_in_no_text_of_the_key():
    assert SECRET.hex() not in repr(KEY) + str(KEY)
