"""`audit key|tail|verify|prove|replay`: the trail, for whoever must not have to trust us.

Each query reads one snapshot and then leaves one `audit_accessed` event. A ledger that is not whole is read all the
same; nothing is appended to it, so that what was found stays as it was found.
"""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from mcp_wallet.control.audit.prove import prove_payment
from mcp_wallet.control.audit.replay import replay_trail
from mcp_wallet.control.audit.verify import VerifyReport, read_key, verify_trail
from mcp_wallet.control.environment import read_environment
from mcp_wallet.control.home import locate
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError, InvariantBroken, OwnerError, WalletError
from mcp_wallet.core.merkle import ProofInvalid
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.doors.cli.event_lines import event_line
from mcp_wallet.doors.cli.output import INTEGRITY, NOT_FOUND_OUT, OK, Answer, AsJson, finish
from mcp_wallet.wiring.auditing import AuditRoom, notary_at, open_audit

TAIL_MAX: Final = 10_000
HOLE: Final = "The tree does not hold the events as they are stored: run `mcp-wallet audit verify`."
UNRECORDED: Final = "This reading is not on the trail: "
Command = Callable[[], Awaitable[Answer]]

audit_commands = typer.Typer(no_args_is_help=True, help="Read, verify, prove and replay the trail.")


@audit_commands.command("key")
def key(*, as_json: AsJson = False) -> None:
    """Print the verifier key: publish it where this machine cannot change it."""

    async def command() -> Answer:
        text = notary_at(locate(read_environment(os.environ))).verifier_key
        return Answer(document={"verifierKey": text}, lines=[text])

    finish(command, as_json=as_json)


@audit_commands.command("tail")
def tail(
    *,
    count: Annotated[int, typer.Option("-n", min=1, max=TAIL_MAX, help="So many of the newest events.")] = 20,
    everything: Annotated[
        bool, typer.Option("--all", help="Every event; with --json followed by one line with a signed checkpoint.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as it is stored, one a line.")] = False,
) -> None:
    """Print events, oldest first."""

    async def command() -> Answer:
        async with open_audit(read_environment(os.environ)) as room:
            head, note = await room.signed_head() if everything and as_json else (None, "")
            size = head.size if head else room.trail.size()
            for sequence, _, body in room.trail.rows(0 if everything else max(0, size - count)):
                print(body.decode("utf-8", "replace") if as_json else event_line(sequence, body))
            if note:
                print(json.dumps({"checkpoint": note}))
            await room.record_access("tail", {"events": str(size if everything else min(size, count))})
        return Answer(document=None)

    finish(_on_a_whole_tree(command), as_json=as_json)


@audit_commands.command("verify")
def verify(
    *,
    vkey: Annotated[str, typer.Option(help="The log's verifier key, from where it was published.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check the whole trail against its checkpoints, its anchors and the published key."""
    try:
        known = read_key(vkey)
    except CallerError as error:
        raise typer.BadParameter(error.message) from error

    async def command() -> Answer:
        async with open_audit(read_environment(os.environ)) as room:
            report = verify_trail(room.trail, room.anchors, key=known, progress=progress_of(as_json=as_json))
            if set(report.findings.counts) <= {"unverified_key"}:
                unrecorded = await _recorded(room, "verify", {"events": str(report.events), "ok": report.ok})
            else:
                unrecorded = f"{UNRECORDED}nothing is appended to a trail that is not whole."
        return Answer(
            document=report.document() | {"recorded": not unrecorded},
            lines=_verify_lines(report),
            after=[unrecorded] if unrecorded else [],
            code=OK if report.ok else INTEGRITY,
        )

    finish(_found_out(command), as_json=as_json)


@audit_commands.command("prove")
def prove(
    payment_id: Annotated[str, typer.Argument(help="The payment's id.")],
    *,
    out: Annotated[Path | None, typer.Option(help="Write the proof to this new file instead of stdout.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print everything about one payment, provable with the verifier key alone (examples/verify_trail.py)."""

    async def command() -> Answer:
        async with open_audit(read_environment(os.environ)) as room:
            head, note = await room.signed_head()
            proof = prove_payment(room.trail, payment_id, head=head, note=note)
            await room.record_access("prove", {"paymentId": payment_id})
        text = json.dumps(proof, indent=2)
        if out is None:
            print(text)
            return Answer(document=None)
        _write_new(out, text)
        count = len(proof["events"]) if isinstance(proof["events"], list) else 0
        done = f"{count} events of {payment_id} and one checkpoint are in {out.name}."
        return Answer(document={"file": str(out), "events": count}, lines=[done])

    finish(_on_a_whole_tree(command), as_json=as_json)


@audit_commands.command("replay")
def replay(*, as_json: AsJson = False) -> None:
    """Take every decision again from the trail alone, and compare byte for byte."""

    async def command() -> Answer:
        async with open_audit(read_environment(os.environ)) as room:
            report = replay_trail(room.trail, progress=progress_of(as_json=as_json))
            unrecorded = await _recorded(room, "replay", {"decisions": str(report.decisions), "ok": report.ok})
        lines = [f"{report.equal} of {report.decisions} decisions come out byte for byte."]
        if report.not_replayable:
            lines.append(f"{report.not_replayable} decisions cannot be taken again: an input is not kept.")
        lines += [
            f"event {m.sequence}, {m.field or 'the event'}: recorded {m.recorded}; comes out as {m.rebuilt}"
            for m in report.mismatches
        ]
        return Answer(
            document=report.document() | {"recorded": not unrecorded},
            lines=lines,
            after=[unrecorded] if unrecorded else [],
            code=OK if report.ok else INTEGRITY,
        )

    finish(command, as_json=as_json)


def _verify_lines(report: VerifyReport) -> list[str]:
    lines = [f"{finding.kind}: {finding.message}" for finding in report.findings.shown]
    hidden = sum(report.findings.counts.values()) - len(report.findings.shown)
    if hidden:
        lines.append(f"… and {hidden} more of these kinds.")
    first = report.findings.first_bad()
    if first is not None:
        lines.append(f"First bad event: {first}.")
    if report.ok:
        lines.append(f"{report.events} events are whole and in order; the key is the one you gave.")
        lines.append(f"{report.checkpoints} checkpoints fit, the newest covers {report.covered} events.")
    return lines


async def _recorded(room: AuditRoom, query: str, details: Mapping[str, Json]) -> str:
    """Append the query's event; return why that was not possible, or empty text."""
    try:
        await room.record_access(query, details)
    except WalletError as error:
        return UNRECORDED + error.message
    except (InvariantBroken, ProofInvalid, AssertionError, KeyError, TypeError, ValueError):
        return f"{UNRECORDED}the ledger cannot be appended to."
    return ""


def _on_a_whole_tree(command: Command) -> Command:
    """Make a hole in the tree a finding."""

    async def checked() -> Answer:
        try:
            return await command()
        except ProofInvalid:
            error: dict[str, Json] = {"code": str(ReasonCode.ROLLBACK_DETECTED), "message": HOLE, "details": {}}
            return Answer(document={"error": error}, lines=[HOLE], code=INTEGRITY)

    return checked


def _found_out(command: Command) -> Command:
    """Say 4 where the ledger cannot even be opened: nothing was found out about it."""

    async def checked() -> Answer:
        try:
            return await command()
        except OwnerError as error:
            found: dict[str, Json] = {"code": str(error.code), "message": error.message, "details": {}}
            return Answer(document={"error": found}, lines=[f"{error.code}: {error.message}"], code=NOT_FOUND_OUT)

    return checked


def progress_of(*, as_json: bool) -> Callable[[int, int], None] | None:
    """Return what shows progress on a terminal; nobody watches a program's JSON."""
    if as_json or not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        print(f"\r{done} of {total} events", end="" if done < total else "\n", file=sys.stderr, flush=True)

    return show


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as problem:
        sentence = f"{path.name} cannot be written: name a new file in a folder that you may write to."
        raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence) from problem
