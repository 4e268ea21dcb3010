"""`doctor`: is the home sound, who can reach what, and what does this shape resist?"""

import os
from collections.abc import Sequence
from typing import Final

from mcp_wallet.contract.tools import AGENT_VERBS, parse_toolsets, select_tools
from mcp_wallet.control.health import RESISTANCE, Check, Verdict, worst
from mcp_wallet.core.canonical import Json
from mcp_wallet.doors.cli.output import INTEGRITY, NOT_FOUND_OUT, OK, REFUSED, Answer, AsJson, finish
from mcp_wallet.wiring.examination import MAKE_A_HOME, examine
from mcp_wallet.wiring.surroundings import known_environment, surroundings

CODES: Final = {
    Verdict.OK: OK,
    Verdict.NOTICE: OK,
    Verdict.UNKNOWN: NOT_FOUND_OUT,
    Verdict.FAILED: REFUSED,
    Verdict.INTEGRITY: INTEGRITY,
}
FINE: Final = (Verdict.OK, Verdict.NOTICE)
SHAPE: Final = "embedded, one OS user"


def doctor_command(*, as_json: AsJson = False) -> None:
    """Check home, keys, ledger, trail, signer, clock and nodes; each finding says what mends it."""

    async def command() -> Answer:
        environment, found = known_environment(os.environ)
        checks = [*surroundings(), *found, *await examine(environment), _planes()]
        resistance: list[Json] = [{"attacker": attacker, "resisted": how} for attacker, how in RESISTANCE]
        verdict = worst(checks)
        return Answer(
            document={
                "ok": CODES[verdict] == OK,
                "checks": [c.document() for c in checks],
                "shape": SHAPE,
                "resistance": resistance,
                "agentVerbs": [*sorted(AGENT_VERBS)],
            },
            lines=[
                *(line for check in checks for line in _lines(check)),
                "",
                f"What this shape ({SHAPE}) resists:",
                *(f"  {attacker} → {how}" for attacker, how in RESISTANCE),
                "",
                *_to_do(checks),
            ],
            code=CODES[verdict],
        )

    finish(command, as_json=as_json)


def _to_do(checks: Sequence[Check]) -> list[str]:
    """Return what is left to do, the worst first, and where to begin without a home."""
    order = list(Verdict)
    wrong = [c for c in sorted(checks, key=lambda c: -order.index(c.verdict)) if c.verdict not in FINE and c.mend]
    advised = [c for c in checks if c.verdict is Verdict.NOTICE and c.mend]
    lines = [f"To mend: {check.mend}   ({check.name})" for check in wrong]
    lines += [f"Advised: {check.mend}   ({check.name})" for check in advised]
    if any(check.mend == MAKE_A_HOME for check in wrong):
        lines += ["First steps without a wallet: mcp-wallet demo; mcp-wallet client-config cursor --dev"]
    return lines or ["Nothing to mend."]


def _planes() -> Check:
    """Compare what a server offers with the verbs that an agent may have."""
    from mcp_wallet.doors.mcp.verbs import VERBS  # noqa: PLC0415

    offered = {tool.name for tool in select_tools(toolsets=parse_toolsets(""), read_only=False)} | set(VERBS)
    stray = offered - AGENT_VERBS
    if stray:
        return Check(
            name="planes",
            verdict=Verdict.FAILED,
            sentence=f"An agent can reach {', '.join(sorted(stray))}, which is not on its allow list.",
            mend="do not serve this build",
        )
    return Check(
        name="planes",
        verdict=Verdict.OK,
        sentence=f"An agent can reach {', '.join(sorted(offered))} and nothing else; a command that "
        "decides or changes something asks for an operator's token, and the key signs only what Gate 2 sealed.",
    )


def _lines(check: Check) -> list[str]:
    lines = [f"{check.verdict:9} {check.name}: {check.sentence}"]
    return [*lines, f"{'':9} mend: {check.mend}"] if check.mend else lines
