"""Are server.json and the MCP bundle what registries and desktop clients take?"""

import io
import json
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from mcp_wallet.control.environment import NAMES
from tests.clients.apart import apart
from tests.distribution.installed import EPOCH
from tests.release.__main__ import bundled, versions
from tests.release.building import ROOT
from tests.release.bundle import bundle_name, bundle_of, manifest


def server() -> dict[str, Any]:
    return dict(json.loads((ROOT / "server.json").read_text("utf-8")))


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"])


def test_the_registrys_entry_names_this_package_and_its_owner():
    entry, (package,) = server(), server()["packages"]
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", entry["name"])
    assert 1 <= len(entry["description"]) <= 100
    assert (package["registryType"], package["identifier"]) == ("pypi", project()["name"])
    assert f"<!-- mcp-name: {entry['name']} -->" in (ROOT / "README.md").read_text("utf-8")
    assert entry["packages"][0]["transport"] == {"type": "stdio"}


def test_the_registrys_entry_starts_the_program_that_the_distribution_installs():
    (package,) = server()["packages"]
    assert package["identifier"] in project()["scripts"]
    assert [argument["value"] for argument in package["packageArguments"]] == ["serve"]
    names = {variable["name"]: variable for variable in package["environmentVariables"]}
    assert names.keys() <= NAMES.keys()
    assert names["MCP_WALLET_AGENT_KEY"]["isSecret"]


def test_the_manifest_asks_for_what_it_uses_and_keeps_the_key_secret():
    read = manifest()
    started = read["server"]["mcp_config"]
    used = set(re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(started)))
    assert used == read["user_config"].keys()
    assert started["env"].keys() <= NAMES.keys()
    assert read["user_config"]["agent_key"]["sensitive"]
    assert read["server"]["type"] == "uv"


def test_the_bundles_own_tool_takes_it(built: Path, node_binary: Path, tmp_path: Path):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(io.BytesIO(bundle_of(wheel, epoch=EPOCH))) as archive:
        archive.extractall(tmp_path)
        held = set(archive.namelist())
    tool = apart("suite") / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
    told = subprocess.run(
        [node_binary, tool, "validate", "manifest.json"], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert {manifest()["server"]["entry_point"], "pyproject.toml", wheel.name} <= held
    wanted = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))
    assert wanted["tool"]["uv"]["sources"]["mcp-wallet"]["path"] == wheel.name


def test_a_manifest_with_a_wrong_field_is_not_taken(node_binary: Path, tmp_path: Path):
    tool = apart("suite") / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest() | {"server": {"type": "uv"}}))
    told = subprocess.run([node_binary, tool, "validate", "manifest.json"], check=False, cwd=tmp_path)
    assert told.returncode == 1


def test_the_release_check_finds_another_bundle_and_another_version(built: Path, tmp_path: Path):
    (wheel,) = built.glob("*.whl")
    mine = Path(shutil.copy(wheel, tmp_path))
    (tmp_path / bundle_name()).write_bytes(bundle_of(mine, epoch=EPOCH))
    assert list(bundled(mine, EPOCH)) == []
    assert list(bundled(mine, EPOCH + 60)) == [f"{bundle_name()} is not the bundle of {mine.name}"]
    other = mine.rename(tmp_path / "mcp_wallet-9.9.9-py3-none-any.whl")
    assert list(versions(other)) == [f"{other.name} is not version {project()['version']}"]
