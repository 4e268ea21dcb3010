"""Small random worlds, policies and payments, dense around every boundary, for the second gate and the properties."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.payees import AddressBook, Payee
from mcp_wallet.core.registry import Chain, Registry, native_asset, token_asset

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
STARTS_MS = (
    NOW_MS,  # 2027-01-15T08:00:00Z, a Friday
    1_774_733_400_000,  # 2026-03-28T21:30:00Z: London's clocks go forward in the night
    1_792_877_400_000,  # 2026-10-24T21:30:00Z: and back
    1_835_380_800_000,  # 2028-02-28T16:00:00Z: before a leap day
    1_777_507_200_000,  # 2026-04-30T00:00:00Z: the last day of a month
)
"""Where a generated history begins."""
ZONES = ("UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe")

BASE = Chain(chain_id=ChainId("eip155:8453"), name="base", native_symbol="eth", confirmations=10)
LOCAL = Chain(chain_id=ChainId("eip155:31337"), name="local", native_symbol="eth", confirmations=1)
ASSETS = (
    native_asset(BASE, 60),
    native_asset(LOCAL, 60),
    token_asset(BASE.chain_id, "usdc", "0x" + "c1" * 20, 6),
    token_asset(LOCAL.chain_id, "usdc", "0x" + "c2" * 20, 6),
    token_asset(BASE.chain_id, "yen", "0x" + "c3" * 20, 0),
)
REGISTRY = Registry(chains=(BASE, LOCAL), assets=ASSETS)

ALICE = Address("0xa11ce" + "0" * 31 + "a11c")
ALICES_DOUBLE = Address("0xa11ff" + "1" * 31 + "a11c")
BOB = Address("0x" + "b0" * 20)
CAROL = Address("0x" + "ca" * 20)
STRANGER = Address("0x" + "57" * 20)
BOOK = AddressBook(
    payees=(
        Payee(name="alice", address=ALICE, added_at_ms=0),
        Payee(name="bob", address=BOB, added_at_ms=NOW_MS),
        Payee(name="carol", address=CAROL, added_at_ms=NOW_MS - 2 * HOUR_MS),
    )
)
AGENTS = ("refunds", "payroll", "nobody")
RECIPIENTS = (ALICE, BOB, CAROL, STRANGER, ALICES_DOUBLE)
CATEGORIES = ("", "refund", "salary")
HUMAN = ("1", "2.00", "5", "10.5", "20", "0.000001", "50.00")

Source = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """What a policy may contain.

    Attributes:
        monotone: Only bounds that a smaller amount can never newly break: no minima, deny and approval and limits
            only from an amount upwards, allow only up to one.
        timed: Whether hours, validity, cooldown and hold occur.
    """

    monotone: bool = False
    timed: bool = True


@dataclass
class Generator:
    """Draws everything from one `Random`, so that a seed or a shrinker decides."""

    random: Random
    shape: Shape = field(default_factory=Shape)

    def policy(self) -> Source:
        """Return the source of a full policy; most load."""
        rules = [self.rule(f"rule-{i}") for i in range(self.random.randint(0, 4))]
        if self.random.random() < 0.8:
            rules.insert(self.random.randint(0, len(rules)), self.wide_rule())
        source: Source = {
            "version": 1,
            "id": "model",
            "lists": {"friends": self.some(["alice", BOB, CAROL, STRANGER]), "foes": self.some([CAROL, STRANGER])},
            "rules": rules,
            "limits": [self.limit(f"limit-{i}") for i in range(self.random.randint(0, 3))],
        }
        if self.shape.timed:
            self.maybe(source, "timezone", lambda: self.random.choice(ZONES), 0.5)
            self.maybe(source, "cooldown", lambda: self.random.choice(["1s", "30m", "1h"]), 0.2)
            self.maybe(source, "newRecipientHold", lambda: self.random.choice(["1h", "2h", "24h"]), 0.2)
            self.maybe(source, "validity", self.validity, 0.15)
            self.maybe(source, "anomaly", self.anomaly, 0.3)
        return source

    def rule(self, rule_id: str) -> Source:
        """Return a rule; half of them allow."""
        effect = self.random.choice(["allow", "allow", "deny", "requireApproval"])
        lower = effect != "allow" if self.shape.monotone else self.random.random() < 0.5
        match = self.match(lower=lower)
        rule: Source = {"id": rule_id, "effect": effect, "match": match}
        if effect == "allow":
            match["assets"] = self.some(["usdc", "eth", "yen", ASSETS[2].asset_id]) or ["usdc"]
            match["recipients"] = self.recipients()
            bounds = {"max": self.random.choice(["5", "10.5", "20", "50.00"])}
            if not self.shape.monotone:
                self.maybe(bounds, "min", lambda: self.random.choice(["1", "2.00"]), 0.3)
            rule["perTransaction"] = bounds
        return rule

    def wide_rule(self) -> Source:
        """Return an allow rule that admits much, so that the others have something to take away."""
        return {
            "id": "wide",
            "effect": "allow",
            "match": {"assets": ["usdc", "eth", "yen"], "recipients": self.random.choice(["any", {"list": "friends"}])},
            "perTransaction": {"max": self.random.choice(["20", "50.00"])},
        }

    def limit(self, limit_id: str) -> Source:
        """Return a limit on amounts, payments or recipients, or on several of them."""
        match = self.match(lower=True) if self.shape.monotone else self.match(lower=self.random.random() < 0.5)
        groups = [] if self.random.random() < 0.3 else self.some(["agent", "recipient", "asset", "chain", "category"])
        limit: Source = {"id": limit_id, "match": match, "window": self.window()}
        self.maybe(limit, "maxAmount", lambda: self.random.choice(["20", "50.00", "100"]), 0.7)
        self.maybe(limit, "maxCount", lambda: self.random.randint(1, 5), 0.3)
        if not limit.keys() & {"maxAmount", "maxCount"} or self.random.random() < 0.2:
            limit["maxDistinctRecipients"] = self.random.randint(1, 3)
        if "maxAmount" in limit and self.random.random() < 0.7:
            match["assets"] = [self.random.choice(["usdc", "eth", "yen"])]
        limit["groupBy"] = groups
        return limit

    def window(self) -> Source:
        """Return one of the three kinds of window; most roll."""
        kind = self.random.random()
        if kind < 0.5:
            return {"rolling": self.random.choice(["1h", "90m", "1d"])}
        if kind < 0.6:
            return {"lifetime": True}
        return {"calendar": self.random.choice(["day", "week", "month"]), "timezone": self.random.choice(ZONES)}

    def hours(self) -> Source:
        """Return hours by day or by night, here or elsewhere, on some days."""
        start, end = self.random.sample(["00:00", "01:30", "02:00", "07:30", "08:00", "12:00", "20:00", "23:30"], 2)
        hours: Source = {"start": start, "end": end}
        self.maybe(hours, "days", lambda: self.some(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), 0.5)
        self.maybe(hours, "timezone", lambda: self.random.choice(ZONES), 0.5)
        return hours

    def match(self, *, lower: bool) -> Source:
        """Return a conjunction; each part is there now and then."""
        match: Source = {}
        self.maybe(match, "agents", lambda: self.some(AGENTS), 0.25)
        self.maybe(match, "chains", lambda: self.some(["base", "local", "eip155:8453"]), 0.25)
        self.maybe(match, "assets", lambda: self.some(["usdc", "eth", "yen"]), 0.25)
        self.maybe(match, "operations", lambda: self.some(["transfer"]), 0.15)
        self.maybe(match, "recipients", self.recipients, 0.25)
        self.maybe(match, "categories", lambda: self.some(["refund", "salary"]), 0.15)
        self.maybe(match, "hours", self.hours, 0.15 if self.shape.timed else 0)
        sides = ("gt", "gte") if lower else ("lt", "lte")
        self.maybe(match, "amount", lambda: {self.random.choice(sides): self.random.choice(HUMAN)}, 0.25)
        return match

    def recipients(self) -> object:
        """Return one of the three ways to name recipients."""
        inline = self.some(["alice", "bob", "carol", STRANGER])
        return self.random.choice(["any", {"list": "friends"}, {"list": "foes"}, inline])

    def validity(self) -> Source:
        """Return a validity that begins or ends near now."""
        edge = self.random.choice(["notBefore", "expiresAt"])
        return {edge: self.random.choice(["2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z"])}

    def anomaly(self) -> Source:
        """Return what follows on each test."""
        actions = ["alert", "requireApproval", "deny", "freeze"]
        return {test: self.random.choice(actions) for test in ("amount", "newRecipient", "velocity", "probing")}

    def payment(self, at_ms: int) -> Payment:
        """Return a payment with an amount at, just below or just above a round one."""
        asset = self.random.choice(ASSETS)
        scale = 10**asset.decimals
        round_units = self.random.choice([1, 2, 5, 10, 20, 50]) * scale + (scale // 2) * self.random.randint(0, 1)
        units = max(1, round_units + self.random.choice([-1, 0, 0, 1]))
        return Payment(
            agent=self.random.choice(AGENTS),
            operation="transfer" if self.random.random() < 0.97 else "swap",
            chain=asset.chain,
            asset=AssetId(asset.asset_id),
            to=self.random.choice(RECIPIENTS),
            category=self.random.choice(CATEGORIES),
            amount_units=units,
            at_ms=at_ms,
        )

    def some(self, items: Sequence[Any]) -> list[Any]:
        """Return a part of the items, at times none of them."""
        return [item for item in items if self.random.random() < 0.6]

    def maybe(self, holder: Source, key: str, draw: Any, chance: float) -> None:
        """Put something under the key, now and then."""
        if self.random.random() < chance:
            holder[key] = draw()
