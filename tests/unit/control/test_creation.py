"""A home is there whole or not at all."""

import stat
from dataclasses import replace

import pytest

from mcp_wallet.adapters.anchors.file import FileAnchor
from mcp_wallet.adapters.sqlite.ledger import SqliteLedger
from mcp_wallet.control.creation import HomeOptions, create_home
from mcp_wallet.control.home import load_keys, load_source, locate
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.notes import open_note, parse_checkpoint, parse_verifier_key
from mcp_wallet.core.payees import Payee
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import ALL_ROLES
from mcp_wallet.wiring.creation import _Parts
from mcp_wallet.wiring.opening import open_home
from tests.unit.control.homes import LOCAL, environment_in, make_home

ALICE = Payee(name="alice", address=Address("0x" + "a1" * 20))


async def test_a_new_home_opens_with_its_owner_and_settings(tmp_path):
    made = await make_home(tmp_path, payees=(ALICE,))
    async with open_home(environment_in(tmp_path)) as home:
        assert (await home.ledger.operator(made.operator_token)).name == "owner"
        assert home.settings.hash == made.settings.hash
        assert home.settings.book.by_name["alice"].address == ALICE.address
        assert home.signer.address == made.address
        with pytest.raises(CallerError, match="token is not valid"):
            await home.ledger.operator(made.operator_token[:-1])


async def test_the_first_checkpoint_stands_outside_and_is_signed_by_the_logs_key(tmp_path):
    made = await make_home(tmp_path)
    note = await FileAnchor(tmp_path / "state" / "checkpoints").newest()
    checkpoint = parse_checkpoint(open_note(note, [parse_verifier_key(made.verifier_key)]))
    async with open_home(environment_in(tmp_path)) as home:
        assert (await home.ledger.head()).root == checkpoint.root


async def test_everything_is_closed_to_other_users(tmp_path):
    await make_home(tmp_path, plaintext=False)
    for path in (tmp_path / "home", tmp_path / "keys", *(tmp_path / "home").rglob("*"), *(tmp_path / "keys").iterdir()):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path


async def test_keys_stand_outside_the_home(tmp_path):
    await make_home(tmp_path, plaintext=False)
    inside = {p.name for p in (tmp_path / "home").iterdir()}
    assert {p.name for p in (tmp_path / "keys").iterdir()} == {
        "database.key",
        "home.key",
        "keystore.password",
        "log.key",
    }
    assert inside >= {"wallet.toml", "ledger.db", "keystore.json", "policies"}
    assert not inside & {"database.key", "home.key", "log.key"}


async def test_an_encrypted_ledger_does_not_open_without_its_key(tmp_path):
    await make_home(tmp_path, plaintext=False)
    assert not (tmp_path / "home" / "ledger.db").read_bytes().startswith(b"SQLite format 3")
    with pytest.raises(OwnerError):
        await SqliteLedger.open(
            tmp_path / "home" / "ledger.db", database_key=b"\1" * 32, home_key=b"\2" * 32, clock=lambda: 0
        )


async def test_an_existing_home_is_left_as_it_is(tmp_path):
    await make_home(tmp_path)
    before = (tmp_path / "home" / "wallet.toml").read_text()
    with pytest.raises(OwnerError, match="stands there already"):
        await make_home(tmp_path)
    assert (tmp_path / "home" / "wallet.toml").read_text() == before


async def test_an_empty_folder_can_become_a_home(tmp_path):
    (tmp_path / "home").mkdir()
    await make_home(tmp_path)
    assert locate(environment_in(tmp_path)).ledger.exists()


async def test_keys_inside_the_home_are_refused(tmp_path):
    where = replace(environment_in(tmp_path), keys_dir=tmp_path / "home" / "keys")
    with pytest.raises(OwnerError, match="outside the home"):
        await make_home(tmp_path, where=where)


class FailingParts(_Parts):
    """Everything works until the first checkpoint is to be published."""

    async def anchor(self, checkpoints, *, origin, seed, head):
        raise OwnerError(ReasonCode.DISK_FULL, "No place.")


async def test_a_failure_in_the_middle_leaves_nothing_behind(tmp_path):
    options = HomeOptions(where=environment_in(tmp_path), plaintext=True, chains=LOCAL, scrypt_n=2)
    with pytest.raises(OwnerError, match="No place"):
        await create_home(options, FailingParts(lambda: 1_780_000_000_000))
    assert list(tmp_path.iterdir()) == []


async def test_options_that_are_no_settings_write_nothing(tmp_path):
    with pytest.raises(OwnerError, match="`environment` must be"):
        await make_home(tmp_path, environment="Bad_Name")
    assert list(tmp_path.iterdir()) == []


async def test_secrets_of_the_environment_are_used_and_not_written(tmp_path):
    where = environment_in(tmp_path, database_key="ab" * 32, keystore_password="from outside")
    await make_home(tmp_path, where=where, plaintext=False)
    assert {p.name for p in (tmp_path / "keys").iterdir()} == {"home.key", "log.key"}
    async with open_home(where) as home:
        assert home.keys.database == bytes.fromhex("ab" * 32)


async def test_an_imported_key_keeps_its_account(tmp_path):
    secret = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
    made = await make_home(tmp_path, secret=secret)
    assert made.address == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"


async def test_two_homes_never_share_organisation_log_or_keys(tmp_path):
    one = await make_home(tmp_path / "a", org_id="")
    two = await make_home(tmp_path / "b", org_id="")
    assert one.settings.org_id != two.settings.org_id
    assert one.verifier_key != two.verifier_key
    assert (
        load_keys(one.paths, environment_in(tmp_path / "a")).home
        != load_keys(two.paths, environment_in(tmp_path / "b")).home
    )


async def test_the_settings_file_is_the_source_of_the_active_settings(tmp_path):
    made = await make_home(tmp_path, limits={"callsPerMinute": 7})
    assert load_source(made.paths.settings)["limits"] == {"callsPerMinute": 7}
    assert made.settings.calls_per_minute == 7


async def test_a_home_that_is_not_solo_needs_two_people(tmp_path):
    with pytest.raises(OwnerError, match="another person approver") as refused:
        await make_home(tmp_path, solo=False)
    assert refused.value.code is ReasonCode.SECOND_PERSON_REQUIRED


async def test_the_people_of_the_first_hour_stand_on_the_trail_as_founders(tmp_path):
    made = await make_home(tmp_path, solo=False, founders={"nora": ALL_ROLES, "omar": ALL_ROLES})
    assert list(made.operator_tokens) == ["nora", "omar"]
    async with open_home(environment_in(tmp_path)) as home:
        people = await home.ledger.operators()
        assert [(p.name, p.is_founder) for p in people] == [("nora", True), ("omar", True)]
        for name, token in made.operator_tokens.items():
            assert (await home.ledger.operator(token)).name == name
