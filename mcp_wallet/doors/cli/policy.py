"""`policy validate|schema|test|show`: policy files and what is in force."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mcp_wallet.control.environment import read_environment
from mcp_wallet.control.policy_files import load_policy_file
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.policy_commitment import policy_hash
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED, Registry
from mcp_wallet.doors.cli.output import OK, REFUSED, Answer, AsJson, Table, finish
from mcp_wallet.doors.cli.session import operator_session
from mcp_wallet.wiring.opening import open_home

policy_commands = typer.Typer(
    no_args_is_help=True, help="Policies: check files, run their tests, see what is in force."
)

Files = Annotated[list[Path], typer.Argument(help="Files, YAML or JSON.")]


@policy_commands.command("validate")
def validate(files: Files, *, as_json: AsJson = False) -> None:
    """Check policy files: every problem with its file, line and column."""

    async def command() -> Answer:
        registry, book, against = await _names()
        found = [_validated(path, registry, book) for path in files]
        ok = all(row["ok"] for row in found)
        return Answer(
            document={"files": list(found), "ok": ok, "against": against},
            lines=[line for row in found for line in _validation_lines(row)],
            after=[f"Names were looked up in {against}."],
            code=OK if ok else REFUSED,
        )

    finish(command, as_json=as_json)


@policy_commands.command("schema")
def schema(*, as_json: AsJson = False) -> None:
    """Print the JSON Schema of a policy file."""

    async def command() -> Answer:
        from mcp_wallet.core.policy_language import policy_schema  # noqa: PLC0415

        return Answer(document=policy_schema())

    finish(command, as_json=as_json or True)


@policy_commands.command("test")
def run_tests(files: Files, *, as_json: AsJson = False) -> None:
    """Run `*.test.yaml` files: each case through the gate that real payments meet."""

    async def command() -> Answer:
        from mcp_wallet.control.policy_test import run_policy_tests  # noqa: PLC0415

        report = run_policy_tests(files)
        rows = [
            ["ok" if case.ok else "FAILED", case.file, case.name, case.decision, ", ".join(case.reasons), case.message]
            for case in report.cases
        ]
        headings = ("", "file", "case", "decision", "reasons", "")
        return Answer(
            document=report.document(),
            table=Table(headings=headings, rows=rows),
            after=[f"{len(report.cases) - report.failed} passed, {report.failed} failed"],
            code=REFUSED if report.failed else OK,
        )

    finish(command, as_json=as_json)


@policy_commands.command("show")
def show(
    policy_id: Annotated[str, typer.Argument(help="One policy's id; all of them when left out.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Show the policies in force, or one of them in full, as it was resolved."""

    async def command() -> Answer:
        async with operator_session() as session:
            active = await session.home.ledger.active_policies()
            agents = await session.home.ledger.agents()
        if policy_id and policy_id not in active:
            sentence = f"No active policy is called `{policy_id[:64]}`: `mcp-wallet policy show` lists them."
            raise CallerError(ReasonCode.POLICY_MISSING, sentence)
        if policy_id:
            version, digest, document = active[policy_id]
            found: Json = {"policyId": policy_id, "version": version, "policyHash": digest, "document": document}
            return Answer(document=found, lines=_full_lines(policy_id, version, digest, document))
        rows = [
            [name, version, digest, ", ".join(a.agent_id for a in agents if a.policy_id == name)]
            for name, (version, digest, _) in sorted(active.items())
        ]
        policies: list[Json] = [
            {"policyId": name, "version": version, "policyHash": digest} for name, version, digest, _ in rows
        ]
        return Answer(
            document={"policies": policies},
            table=Table(headings=("policy", "version", "hash", "agents"), rows=rows) if rows else None,
            after=() if rows else ["No policy is in force: `mcp-wallet agent add NAME --policy FILE`."],
        )

    finish(command, as_json=as_json)


async def _names() -> tuple[Registry, AddressBook, str]:
    """Return the home's registry and address book, or what ships where there is no home."""
    environment = read_environment(os.environ)
    if not (environment.home / "wallet.toml").exists():
        return SHIPPED, AddressBook(), "the registry that ships and an empty address book (there is no home)"
    async with open_home(environment) as home:
        return home.settings.registry, home.settings.book, "this home's registry and address book"


def _validated(path: Path, registry: Registry, book: AddressBook) -> dict[str, Json]:
    try:
        loaded = load_policy_file(path, registry=registry, book=book)
    except OwnerError as error:
        problems = error.details.get("problems", error.message).splitlines()
        return {"file": path.name, "ok": False, "code": str(error.code), "problems": list(problems)}
    return {
        "file": path.name,
        "ok": True,
        "policyId": loaded.policy.policy_id,
        "policyHash": policy_hash(loaded.document),
        "warnings": list(loaded.warnings),
        "problems": [],
    }


def _validation_lines(row: dict[str, Json]) -> list[str]:
    problems, warnings = row["problems"], row.get("warnings", [])
    if not row["ok"]:
        return [str(p) for p in problems] if isinstance(problems, list) else []
    shown = [f"warning: {w}" for w in warnings] if isinstance(warnings, list) else []
    return [f"{row['file']}: policy {row['policyId']} loads ({row['policyHash']})", *shown]


def _full_lines(policy_id: str, version: str, digest: str, document: Json) -> list[str]:
    import json  # noqa: PLC0415

    return [f"Policy {policy_id}, version {version}, {digest}", *json.dumps(document, indent=2).splitlines()]
