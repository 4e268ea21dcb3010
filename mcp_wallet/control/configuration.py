"""The settings' way into force: `wallet.toml` is their source text and decides nothing until it was approved."""

from mcp_wallet.contract.changes import Change, ChangeKind, NewChange
from mcp_wallet.control.home import HomePaths, load_source
from mcp_wallet.control.justification import optional_reason
from mcp_wallet.control_ports import ControlLedger
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settings_changes import classify_settings, next_settings, setting_changes, source_hash
from mcp_wallet.ports import Actor

SUBJECT = "settings"


async def propose_settings(
    ledger: ControlLedger, settings: Settings, paths: HomePaths, *, reason: str, actor: Actor
) -> Change:
    """Return the proposal of what `wallet.toml` says.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED` when it does not load, changes what the home is, or goes back to solo.
        CallerError: `INTENT_INVALID` when it says what is in force already; `PERMISSION_DENIED`.
    """
    source = load_source(paths.settings)
    following = next_settings(settings, source)
    changed = setting_changes(settings, following)
    if not changed:
        raise CallerError(ReasonCode.INTENT_INVALID, "wallet.toml says what is in force already.")
    changes: list[Json] = [change.document() for change in changed]
    change = NewChange(
        kind=ChangeKind.SETTINGS,
        subject=SUBJECT,
        body={"source": _plain(source)},
        detail={"changes": changes},
        classification=classify_settings(settings, following),
        hash=source_hash(following),
        base_hash=source_hash(settings),
        checks={"loads": True, "changes": changes},
        reason=optional_reason(reason),
    )
    return await ledger.propose(change, actor=actor)


def _plain(value: object) -> Json:
    """Return parsed TOML that loaded as settings, which has neither times nor floats, as a document."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    assert isinstance(value, str | bool | int), "settings that loaded hold nothing else"  # noqa: S101
    return value
