"""The kill switch: what may be frozen, by its name as people say it, and released again."""

from dataclasses import dataclass

from mcp_wallet.contract.changes import Change, ChangeKind, NewChange
from mcp_wallet.control.justification import required_reason
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.diff import Classification
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import is_payee_name, parse_address
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Actor


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to freeze: kind is `all agent asset chain recipient`, value its canonical name (empty for all)."""

    kind: str
    value: str


def targets_of(
    settings: Settings,
    agents: tuple[str, ...],
    *,
    everything: bool,
    agent: str = "",
    asset: str = "",
    chain: str = "",
    recipient: str = "",
) -> list[Target]:
    """Return what the operator named; a symbol means that asset on every chain.

    Raises:
        CallerError: When nothing was named, or a name is unknown: a switch that stops nothing must not look engaged.
    """
    found: list[Target] = [Target("all", "")] if everything else []
    if agent:
        if agent not in agents:
            raise CallerError(ReasonCode.INTENT_INVALID, f"No agent is called `{agent[:64]}`.")
        found.append(Target("agent", agent))
    if asset:
        assets = settings.registry.assets_of(asset)
        if not assets:
            raise CallerError(ReasonCode.ASSET_UNKNOWN, f"No asset is called `{asset[:80]}`.")
        found += [Target("asset", a.asset_id) for a in assets]
    if chain:
        found.append(Target("chain", settings.registry.chain(chain.lower()).chain_id))
    if recipient:
        found.append(Target("recipient", _address(settings, recipient)))
    if not found:
        raise CallerError(ReasonCode.INTENT_INVALID, "Say what: --agent, --asset, --chain, --recipient or --all.")
    return found


async def kill(ledger: ControlLedger, targets: list[Target], *, reason: str, actor: Actor) -> None:
    """Freeze the targets: no decision and no hand-over to the signer that begins after this returned proceeds."""
    words = required_reason(reason)
    for target in targets:
        await ledger.freeze(target.kind, target.value, reason=words, actor=actor)


async def unkill(ledger: ControlLedger, targets: list[Target], *, reason: str, actor: Actor) -> list[Change]:
    """Return a proposal for each target that is frozen; in a solo home it is released when this returns."""
    words, frozen = required_reason(reason), {(kind, value) for kind, value, _ in await ledger.freezes()}
    found = [t for t in targets if (t.kind, t.value) in frozen]
    return [await ledger.propose(_release(target, words), actor=actor) for target in found]


def _release(target: Target, reason: str) -> NewChange:
    named: dict[str, Json] = {"kind": target.kind, "value": target.value}
    return NewChange(
        kind=ChangeKind.RELEASE,
        subject=f"{target.kind} {target.value}".strip(),
        body=named,
        detail=named,
        classification=Classification.LOOSENS,
        reason=reason,
    )


def _address(settings: Settings, recipient: str) -> str:
    if not is_payee_name(recipient):
        return parse_address(recipient)
    payee = settings.book.by_name.get(recipient)
    if payee is None:
        raise CallerError(ReasonCode.RECIPIENT_UNKNOWN, f"No payee is called `{recipient}`.")
    return payee.address
