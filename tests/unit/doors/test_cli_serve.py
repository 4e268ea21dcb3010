"""What `serve` refuses before anything is served, and what it must not import for that."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.doors.commands import environ_of, operator_at

ROOT = Path(__file__).parents[3]
LATE = {"typer", "rich", "web3", "eth_account", "eth_keys", "coincurve", "ruamel", "aiohttp", "langchain_core"}


def run(*arguments, **environ):
    return subprocess.run(
        [sys.executable, "-m", "mcp_wallet", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_serve_says_once_that_key_and_agent_share_an_account(tmp_path):
    operator_at(tmp_path)
    ran = run("serve", **environ_of(tmp_path))
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.count("an agent that can run commands can spend past the policy") == 1


def test_serve_refuses_beside_an_operators_token(tmp_path):
    _, made = operator_at(tmp_path)
    ran = run("serve", **environ_of(tmp_path), MCP_WALLET_OPERATOR_TOKEN=made.operator_token)
    assert ran.returncode == 1
    assert "CONFIG_UNAPPROVED" in ran.stderr
    assert made.operator_token not in ran.stderr


def test_serve_refuses_settings_that_were_not_approved(tmp_path):
    _, made = operator_at(tmp_path)
    made.paths.settings.write_text(made.paths.settings.read_text().replace("10000000000000000", "20000000000000000"))
    ran = run("serve", **environ_of(tmp_path))
    assert ran.returncode == 1
    assert "wallet.toml differs from the active settings in `chains`" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "code", "sentence"),
    [
        (("serve",), {}, 1, "run `mcp-wallet init`"),
        (("serve",), {"MCP_WALLET_HOM": "x"}, 1, "nearest name is `MCP_WALLET_HOME`"),
        (("serve", "--toolsets", "control"), {}, 2, "No toolset is called `control`"),
        (("serve", "--approve"), {}, 2, "unrecognized arguments"),
        (("nonsense",), {}, 2, "No such command"),
    ],
)
def test_what_cannot_start_says_why_in_one_sentence(tmp_path, arguments, environ, code, sentence):
    ran = run(*arguments, **environ_of(tmp_path), **environ)
    assert ran.returncode == code
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_missing_key_file_is_named_without_its_folder(tmp_path):
    _, made = operator_at(tmp_path, plaintext=False)
    made.paths.database_key.unlink()
    ran = run("serve", **environ_of(tmp_path))
    assert "database.key is missing" in ran.stderr
    assert str(tmp_path) not in ran.stderr


def test_the_start_imports_nothing_that_only_payments_or_people_need():
    script = (
        "import sys, json, mcp_wallet.doors.cli.serve, mcp_wallet.wiring.opening, mcp_wallet.adapters.sqlite.glance, "
        "mcp_wallet.doors.mcp.stdio, mcp_wallet.adapters.anchors.file, mcp_wallet.adapters.log_key, "
        "mcp_wallet.adapters.lease; print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert sorted(LATE & set(json.loads(ran.stdout))) == []
