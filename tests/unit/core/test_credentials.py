"""Keys and tokens: one shape each, recognised by a keyed hash alone."""

import pytest

from mcp_wallet.core.credentials import (
    credential_hash,
    format_api_key,
    format_operator_token,
    is_environment,
    parse_api_key,
    parse_operator_token,
)

SECRET = bytes(range(32))


def test_an_api_key_says_its_environment_and_id_again():
    assert parse_api_key(format_api_key("production", "k7", SECRET)) == ("production", "k7")


def test_an_operator_token_says_its_id_again():
    assert parse_operator_token(format_operator_token("owner1", SECRET)) == "owner1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mw_production_k7",
        "mw_production_k7_short",
        format_api_key("production", "k7", SECRET) + "\n",
        format_api_key("Production", "k7", SECRET),
        format_api_key("a_b", "k7", SECRET),
        format_operator_token("k7", SECRET),
    ],
)
def test_any_other_text_is_no_api_key(text):
    assert parse_api_key(text) is None


def test_an_api_key_is_no_operator_token():
    assert parse_operator_token(format_api_key("production", "k7", SECRET)) is None


def test_the_hash_depends_on_the_home_and_on_every_character():
    key = format_api_key("production", "k7", SECRET)
    digest = credential_hash(b"h" * 32, key)
    assert len(digest) == 64
    assert digest != credential_hash(b"i" * 32, key)
    assert digest != credential_hash(b"h" * 32, key[:-1] + "b")


def test_a_key_of_any_characters_can_be_hashed():
    assert credential_hash(b"h" * 32, "mw_\udcff")


def test_an_environment_holds_no_underscore():
    assert is_environment("production")
    assert not is_environment("pro_duction")
