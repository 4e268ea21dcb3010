"""The kill switch: what may be frozen, by its name as people say it, and released again."""

from dataclasses import dataclass
from typing import Final

from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.identifiers import is_payee_name, parse_address
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.ports import Actor, ControlLedger

REASON_CHARACTERS_MAX: Final = 500


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
    words = _reason(reason)
    for target in targets:
        await ledger.freeze(target.kind, target.value, reason=words, actor=actor)


async def unkill(ledger: ControlLedger, targets: list[Target], *, reason: str, actor: Actor) -> list[Target]:
    """Release the targets and return those that were frozen."""
    words = _reason(reason)
    return [t for t in targets if await ledger.unfreeze(t.kind, t.value, reason=words, actor=actor)]


def _address(settings: Settings, recipient: str) -> str:
    if not is_payee_name(recipient):
        return parse_address(recipient)
    payee = settings.book.by_name.get(recipient)
    if payee is None:
        raise CallerError(ReasonCode.RECIPIENT_UNKNOWN, f"No payee is called `{recipient}`.")
    return payee.address


def _reason(reason: str) -> str:
    text = reason.strip()
    if not text or len(text) > REASON_CHARACTERS_MAX or not text.isprintable():
        raise CallerError(
            ReasonCode.INTENT_INVALID, f'A reason is 1 to {REASON_CHARACTERS_MAX} visible characters: --reason "…".'
        )
    return text
