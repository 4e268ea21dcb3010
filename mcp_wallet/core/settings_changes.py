"""From one version of the settings to the next: what may change, what changed, and whether that loosens.

What is not known to tighten counts as loosening. Some settings are what the home is and never change; leaving solo is
one-way.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mcp_wallet.core.canonical import Json, domain_hash
from mcp_wallet.core.diff import Classification
from mcp_wallet.core.document import as_mapping
from mcp_wallet.core.durations import parse_duration_ms
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.settings import Settings
from mcp_wallet.core.settings_source import parse_settings

SOURCE_DOMAIN: Final = "mcp-wallet/settings-source/v1"
FIXED: Final = ("orgId", "logId", "environment", "plaintext")
"""What the home is: keys, trail and agents' credentials were made with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """One setting that differs; empty text where there is none."""

    key: str
    before: str
    after: str
    classification: Classification

    def document(self) -> dict[str, Json]:
        """Return it for the trail and for people."""
        return {
            "key": self.key,
            "before": self.before,
            "after": self.after,
            "classification": str(self.classification),
        }


def source_hash(settings: Settings) -> str:
    """Return what names the source text's meaning and the registry, whatever the address book says."""
    document = as_mapping(settings.document)
    return domain_hash(SOURCE_DOMAIN, {"source": document["source"], "registry": document["registry"]})


def next_settings(settings: Settings, source: Mapping[str, object]) -> Settings:
    """Return the next version: this source, with the address book that is in force.

    Args:
        source: The parsed text of `wallet.toml`.

    Raises:
        OwnerError: `CONFIG_UNAPPROVED` when it does not load, changes what the home is, or goes back to solo.
    """
    following = parse_settings(source, settings.book.payees, str(int(settings.version) + 1))
    before, after = _source_of(settings), _source_of(following)
    fixed = [key for key in FIXED if before.get(key) != after.get(key)]
    if fixed:
        sentence = f"`{fixed[0]}` is what this home is and cannot change: make a new home, or put it back."
        raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence)
    if following.solo and not settings.solo:
        sentence = "A home that has left `solo` cannot go back to it: put `solo = false`."
        raise OwnerError(ReasonCode.CONFIG_UNAPPROVED, sentence)
    return following


def setting_changes(before: Settings, after: Settings) -> list[SettingChange]:
    """Return every setting of the source text or the registry that differs, by its key."""
    found = []
    for part in ("source", "registry"):
        old = dict(_flat(part, as_mapping(before.document)[part]))
        new = dict(_flat(part, as_mapping(after.document)[part]))
        for path in sorted(old.keys() | new.keys()):
            one, other = old.get(path, ""), new.get(path, "")
            if one != other:
                key, name = path, path.removeprefix("source.")
                found.append(
                    SettingChange(
                        key=name if part == "source" else key,
                        before=one,
                        after=other,
                        classification=_direction(name, one, other),
                    )
                )
    return found


def classify_settings(before: Settings, after: Settings) -> Classification:
    """Return how the next settings stand towards those in force."""
    return combined(change.classification for change in setting_changes(before, after))


def combined(parts: Iterator[Classification]) -> Classification:
    """Return the classification of several changes together."""
    seen = set(parts) - {Classification.NEUTRAL}
    if not seen:
        return Classification.NEUTRAL
    return seen.pop() if len(seen) == 1 else Classification.BOTH


def _source_of(settings: Settings) -> Mapping[str, Json]:
    return as_mapping(as_mapping(settings.document)["source"])


def _flat(prefix: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}", inner)
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        for item in value:
            entry = as_mapping(item)
            named = "/".join(str(entry[key]) for key in ("chain", "chainId", "assetId", "symbol") if key in entry)
            yield from _flat(f"{prefix}.{named}", item)
    elif isinstance(value, list | tuple):
        yield prefix, ", ".join(str(item) for item in value)
    else:
        yield prefix, "true" if value is True else "false" if value is False else str(value)


def _number(text: str) -> int:
    return int(text)


def _truth(text: str) -> int:
    return 1 if text == "true" else 0


_LESS_IS_TIGHTER: Final = -1
_MORE_IS_TIGHTER: Final = 1
_COMPARED: Final[Mapping[str, tuple[Callable[[str], int], int]]] = {
    "maxFeeWei": (_number, _LESS_IS_TIGHTER),
    "maxFeePerDayWei": (_number, _LESS_IS_TIGHTER),
    "callsPerMinute": (_number, _LESS_IS_TIGHTER),
    "pendingMax": (_number, _LESS_IS_TIGHTER),
    "denialsPerHour": (_number, _LESS_IS_TIGHTER),
    "trustSingleNode": (_truth, _LESS_IS_TIGHTER),
    "solo": (_truth, _LESS_IS_TIGHTER),
    "deduplicationWindow": (parse_duration_ms, _MORE_IS_TIGHTER),
}
"""Settings that can be compared, by the last part of their key. All others count as both when they differ."""


def _direction(name: str, before: str, after: str) -> Classification:
    compared = _COMPARED.get(name.rpartition(".")[2])
    if compared is None or not before or not after:
        return Classification.BOTH
    measure, tighter = compared
    return Classification.TIGHTENS if (measure(after) - measure(before)) * tighter > 0 else Classification.LOOSENS
