"""The policy language as written: strict models of the short and the full form, and their JSON Schema.

Unknown fields, unquoted amounts and empty durations never load. What the models cannot see, whether names exist and
limits nest, is `policy_checks`' part; what the words mean in addresses, ids and base units is `resolve`'s.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter
from pydantic.alias_generators import to_camel

from mcp_wallet.core.canonical import Json
from mcp_wallet.core.policy_source import Source
from mcp_wallet.core.wall_clock import CLOCK, minute_of

COUNT_MAX: Final = 1_000_000_000
GROUPS: Final = ("agent", "recipient", "asset", "chain", "category")

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_BOUND = r"(0|[1-9][0-9]*)(\.[0-9]+)?"
_UNITS = r"0|[1-9][0-9]{0,77}"
_DURATION = r"([1-9][0-9]{0,8})([smhdw])"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?(Z|[+-][0-9]{2}:[0-9]{2})"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AMOUNT_CHARACTERS_MAX: Final = 160


def duration_ms(text: str) -> int:
    """Return milliseconds of a number and one of `s m h d w`; `ValueError` with the sentence."""
    match = re.fullmatch(_DURATION, text)
    if match is None:
        raise ValueError("a duration is a number above 0 and one of s, m, h, d, w, such as `30s` or `24h`")
    return int(match.group(1)) * _SECONDS[match.group(2)] * 1000


def time_ms(text: str) -> int:
    """Return Unix milliseconds of an RFC 3339 time with its zone; `ValueError` with the sentence."""
    if re.fullmatch(_TIME, text) is None:
        raise ValueError("a time is written as `2026-03-10T12:00:00Z`")
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)


def _name(text: str) -> str:
    if re.fullmatch(_NAME, text) is None:
        raise ValueError("a name is 1 to 64 letters, digits, dots, dashes and underscores")
    return text


def _bound(text: str) -> str:
    if len(text) > _AMOUNT_CHARACTERS_MAX or re.fullmatch(_BOUND, text) is None:
        raise ValueError('an amount is quoted digits with a point, such as "12.50", without sign, exponent or comma')
    return text


def _units(text: str) -> str:
    if re.fullmatch(_UNITS, text) is None:
        raise ValueError('an amount of the short form is quoted digits of base units, such as "50000000"')
    return _positive(text)


def _positive(text: str) -> str:
    if not text.strip("0."):
        raise ValueError("a limit of zero is no limit: leave it out, or leave the rule out")
    return text


def _duration(text: str) -> str:
    duration_ms(text)
    return text


def _time(text: str) -> str:
    time_ms(text)
    return text


def _clock(text: str) -> str:
    minute_of(text)
    return text


Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": f"^{_NAME}$"})]
Word = Annotated[str, Field(min_length=1, max_length=160)]
Bound = Annotated[str, AfterValidator(_bound), Field(json_schema_extra={"pattern": f"^{_BOUND}$"})]
"""Human units of the asset, in quotes; may be zero."""
Amount = Annotated[Bound, AfterValidator(_positive)]
"""Human units of the asset, in quotes, above zero."""
Units = Annotated[str, AfterValidator(_units), Field(json_schema_extra={"pattern": f"^({_UNITS})$"})]
"""Base units, in quotes, above zero."""
Duration = Annotated[str, AfterValidator(_duration), Field(json_schema_extra={"pattern": f"^{_DURATION}$"})]
Time = Annotated[str, AfterValidator(_time), Field(json_schema_extra={"pattern": f"^{_TIME}$"})]
Clock = Annotated[str, AfterValidator(_clock), Field(json_schema_extra={"pattern": f"^({CLOCK}|24:00)$"})]
"""Time of day, `08:00`; `24:00` is the end of the day."""
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Action = Literal["alert", "requireApproval", "deny", "freeze"]
Count = Annotated[int, Field(ge=1, le=COUNT_MAX)]


class Part(BaseModel):
    """Anything of a policy: strict, frozen, camelCase outside."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", alias_generator=to_camel)


class FileReference(Part):
    """`{file: customers.txt}`: one address or payee name a line, `#` comments."""

    file: Word


class ListReference(Part):
    """`{list: customers}`."""

    list: Name


def _list_form(value: object) -> str:
    return "fileForm" if isinstance(value, dict | FileReference) else "entriesForm"


def _recipients_form(value: object) -> str:
    if isinstance(value, str):
        return "anyForm"
    return "listForm" if isinstance(value, dict | ListReference) else "entriesForm"


Entries = Annotated[list[Word], Tag("entriesForm")]
AddressList = Annotated[Entries | Annotated[FileReference, Tag("fileForm")], Discriminator(_list_form)]
Recipients = Annotated[
    Entries | Annotated[ListReference, Tag("listForm")] | Annotated[Literal["any"], Tag("anyForm")],
    Discriminator(_recipients_form),
]


class AmountMatch(Part):
    """Bounds on the amount, in human units of each asset that the rule meets."""

    gt: Bound | None = None
    gte: Bound | None = None
    lt: Bound | None = None
    lte: Bound | None = None


class Hours(Part):
    """[start, end) in local wall time; a start after the end is a night shift, of the weekday on which it starts.

    Without `days` every day, without `timezone` the policy's.
    """

    days: list[Weekday] | None = None
    start: Clock = "00:00"
    end: Clock = "24:00"
    timezone: Word | None = None


class Match(Part):
    """A conjunction: a part that is left out matches everything, an empty list matches nothing."""

    agents: list[Name] | None = None
    chains: list[Word] | None = None
    assets: list[Word] | None = None
    operations: list[Word] | None = None
    recipients: Recipients | None = None
    categories: list[Name] | None = None
    amount: AmountMatch | None = None
    hours: Hours | None = None


class PerTransaction(Part):
    """Bounds of one payment, inclusive."""

    max: Amount
    min: Amount | None = None


class Approval(Part):
    """Who must agree. Without `approvers`, anybody with the approver role."""

    quorum: Count = 1
    approvers: list[Name] | None = None
    exclude_requester: bool = True
    ttl: Duration = "1h"
    channel: Literal["outOfBand", "any"] = "outOfBand"


class Rule(Part):
    """One rule; allow rules are alternatives, the others only take away."""

    id: Name
    effect: Literal["allow", "deny", "requireApproval"]
    match: Match
    per_transaction: PerTransaction | None = None
    approval: Approval | None = None


class Window(Part):
    """Exactly one of: (now - W, now]; the local day, week or month that it is; everything ever paid."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["rolling"]}, {"required": ["calendar", "timezone"]}, {"required": ["lifetime"]}]
        }
    )

    rolling: Duration | None = None
    calendar: Literal["day", "week", "month"] | None = None
    timezone: Word | None = None
    lifetime: Literal[True] | None = None

    @property
    def words(self) -> str:
        """What a sentence calls it: `24h`, `a calendar day`, `all time`."""
        if self.rolling is not None:
            return self.rolling
        return "all time" if self.calendar is None else f"a calendar {self.calendar}"


class LimitPart(Part):
    """One limit over a window; without `groupBy`, one budget shared by all that match."""

    id: Name
    match: Match = Match()
    max_amount: Amount | None = None
    max_count: Count | None = None
    max_distinct_recipients: Count | None = None
    window: Window
    group_by: list[Literal["agent", "recipient", "asset", "chain", "category"]] = Field(default_factory=list)


class Validity(Part):
    """[notBefore, expiresAt)."""

    not_before: Time | None = None
    expires_at: Time | None = None


class AnomalyPart(Part):
    """What happens when a test finds a payment unusual; a test that is left out is not made."""

    amount: Action | None = None
    new_recipient: Action | None = None
    velocity: Action | None = None
    probing: Action | None = None


class FullPolicy(Part):
    """The full form."""

    version: Literal[1]
    id: Name
    timezone: Word = "UTC"
    disclosure: Literal["full", "remaining", "coarse"] = "coarse"
    lists: dict[Name, AddressList] = Field(default_factory=dict)
    rules: list[Rule]
    limits: list[LimitPart] = Field(default_factory=list)
    validity: Validity = Validity()
    cooldown: Duration | None = None
    new_recipient_hold: Duration | None = None
    anomaly: AnomalyPart | None = None


class ShortPolicy(Part):
    """The short form: base units, each limit for each allowed asset separately, per agent."""

    per_transaction_limit: Units
    daily_limit: Units
    recipient_whitelist: Annotated[list[Word], Field(min_length=1)]
    allowed_assets: Annotated[list[Word], Field(min_length=1)]
    hourly_limit: Units | None = None
    max_tx_per_hour: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy that loaded: every name in it exists, every limit nests.

    Args:
        policy_id: The full form's `id`; the short form is called after its file.
        source: The file as it was read, which knows where everything stands.
    """

    policy_id: str
    body: FullPolicy | ShortPolicy
    source: Source = field(repr=False, compare=False)


def policy_schema() -> Json:
    """Return the JSON Schema of a policy file, either form."""
    schema: Json = TypeAdapter[FullPolicy | ShortPolicy](FullPolicy | ShortPolicy).json_schema(by_alias=True)
    return schema
