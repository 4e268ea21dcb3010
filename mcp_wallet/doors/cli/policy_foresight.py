"""`policy diff|backtest|shadow`: what a change would change, before it does."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from mcp_wallet.control.environment import read_environment
from mcp_wallet.control.retrial import Retried
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.roles import Verb
from mcp_wallet.core.settings import Settings
from mcp_wallet.doors.cli.audit import progress_of
from mcp_wallet.doors.cli.output import Answer, AsJson, finish
from mcp_wallet.doors.cli.session import Session, operator_session
from mcp_wallet.wiring.opening import open_home

FROM_HELP = "First moment, such as 2026-03-01 or 2026-03-01T08:00:00Z; the beginning when left out."
TO_HELP = "First moment after; now when left out."


def diff_command(
    files: Annotated[list[Path], typer.Argument(metavar="[OLD] NEW", help="One file: against what is in force.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say what a new version would newly allow, deny or have approved, each with a payment that shows it."""

    async def command() -> Answer:
        from mcp_wallet.control.policy_diff import DiffText  # noqa: PLC0415
        from mcp_wallet.core.diff import diff  # noqa: PLC0415

        old, new, settings = await _versions(files)
        found, text = diff(old, new), DiffText(settings)
        return Answer(document=text.document(found, old, new), lines=[*text.lines(found, old, new)])

    finish(command, as_json=as_json)


def backtest_command(
    file: Annotated[Path, typer.Argument(help="The candidate, YAML or JSON.")],
    *,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help=FROM_HELP)] = "",
    until: Annotated[str, typer.Option("--to", metavar="TIME", help=TO_HELP)] = "",
    as_json: AsJson = False,
) -> None:
    """Take the recorded decisions of a policy again under a candidate, and say what would have changed."""

    async def command() -> Answer:
        from mcp_wallet.control.backtest import backtest, moment_ms  # noqa: PLC0415
        from mcp_wallet.control.candidates import candidate_of  # noqa: PLC0415
        from mcp_wallet.wiring.auditing import open_trail  # noqa: PLC0415

        first_ms, last_ms = moment_ms(since), moment_ms(until)
        async with operator_session() as session:
            settings = session.home.settings
            policy = candidate_of(file, settings, await session.home.ledger.active_policies()).policy
            with open_trail(session.home.paths, session.home.keys) as trail:
                report = backtest(
                    trail, policy, settings, from_ms=first_ms, to_ms=last_ms, progress=progress_of(as_json=as_json)
                )
            details: dict[str, Json] = {"query": "policy backtest", "policyId": policy.policy_id}
            await session.home.ledger.record("audit_accessed", details, actor=session.actor)
        document: dict[str, Json] = {
            "policyId": policy.policy_id,
            "policyHash": policy.hash,
            "from": since,
            "to": until,
        }
        after = [] if report.decisions else [f"No decision was made under a policy called `{policy.policy_id}` then."]
        return Answer(document=document | report.document(settings), lines=[*report.lines(settings)], after=after)

    finish(command, as_json=as_json)


def shadow_command(
    file: Annotated[Path, typer.Argument(help="The candidate, YAML or JSON.")],
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Speak of what was decided since the last time, and stop.")
    ] = False,
    report_only: Annotated[bool, typer.Option("--report", help="Only say what it has said so far.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a candidate watch real traffic until it is stopped: what it would decide is recorded, never enforced."""

    async def command() -> Answer:
        from mcp_wallet.control.candidates import candidate_of  # noqa: PLC0415
        from mcp_wallet.control.shadow import shadow_report  # noqa: PLC0415
        from mcp_wallet.wiring.auditing import open_trail  # noqa: PLC0415

        async with operator_session(Verb.SEE if report_only else Verb.PROPOSE) as session:
            settings = session.home.settings
            policy = candidate_of(file, settings, await session.home.ledger.active_policies()).policy
            if not report_only:
                await _watch(session, policy, once=once, as_json=as_json)
            with open_trail(session.home.paths, session.home.keys) as trail:
                report = shadow_report(trail, policy.hash)
            if report_only:
                details: dict[str, Json] = {"query": "policy shadow report", "policyId": policy.policy_id}
                await session.home.ledger.record("audit_accessed", details, actor=session.actor)
        document: dict[str, Json] = {"policyId": policy.policy_id, "policyHash": policy.hash}
        return Answer(document=document | report.document(settings), lines=[*report.lines(settings)])

    finish(command, as_json=as_json)


def add_foresight_commands(policy_commands: typer.Typer) -> None:
    """Put these commands among those of policies."""
    policy_commands.command("diff")(diff_command)
    policy_commands.command("backtest")(backtest_command)
    policy_commands.command("shadow")(shadow_command)


async def _watch(session: Session, policy: CompiledPolicy, *, once: bool, as_json: bool) -> None:
    """Shadow every decision from where this candidate last stopped, else from now on, until it is told to stop."""
    from mcp_wallet.control.retrial import Retrial  # noqa: PLC0415
    from mcp_wallet.control.shadow import QUERY, Shadow, follow, resumed_at  # noqa: PLC0415
    from mcp_wallet.wiring.auditing import open_trail  # noqa: PLC0415

    home, ledger = session.home, session.home.ledger
    with open_trail(home.paths, home.keys) as trail:
        since = resumed_at(trail, policy.hash)
        since = trail.size() if since is None else since
    details: dict[str, Json] = {"query": QUERY, "policyHash": policy.hash, "since": str(since)}
    await ledger.record("audit_accessed", details, actor=session.actor)
    stop = asyncio.Event()
    for number in () if once else (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if once:
        stop.set()
    elif not as_json:
        print(
            f"Watching for decisions under `{policy.policy_id}` from event {since} on; Ctrl-C stops.", file=sys.stderr
        )
    await follow(
        Shadow(Retrial(policy, home.settings), since=since),
        lambda: open_trail(home.paths, home.keys),
        lambda kind, event: ledger.record(kind, event, actor=session.actor),
        stop=stop,
        told=lambda retried: None if as_json else _tell(retried),
    )


def _tell(retried: Retried) -> None:
    if retried.is_changed:
        before, after = retried.pair
        print(f"event {retried.sequence}: {before}, the candidate says {after}", file=sys.stderr, flush=True)


async def _versions(files: list[Path]) -> tuple[CompiledPolicy | None, CompiledPolicy, Settings]:
    """Return both versions: two files, or what is in force and one file."""
    from mcp_wallet.control.candidates import candidate_of, compiled_file  # noqa: PLC0415

    if len(files) > 2:  # noqa: PLR2004  old and new
        raise CallerError(ReasonCode.POLICY_INVALID, "Two policies are compared at a time: name one file or two.")
    if len(files) == 2:  # noqa: PLR2004  old and new
        settings = await _settings()
        return compiled_file(files[0], settings), compiled_file(files[1], settings), settings
    async with operator_session() as session:
        settings = session.home.settings
        candidate = candidate_of(files[0], settings, await session.home.ledger.active_policies())
    return candidate.active, candidate.policy, settings


async def _settings() -> Settings:
    """Return the settings in force, or what ships where there is no home."""
    from mcp_wallet.control.candidates import settings_without_home  # noqa: PLC0415

    environment = read_environment(os.environ)
    if not (environment.home / "wallet.toml").exists():
        return settings_without_home()
    async with open_home(environment) as home:
        return home.settings
