"""A second gate, written from SPEC section 3 alone: slow, flat, in fractions of whole units, no index, no windows.

It reads the policy as its author wrote it and shares nothing with `mcp_wallet.core` but the plain data types of its
inputs. Where the two disagree, one of them is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from mcp_wallet.core.decision import Counters, Facts
from mcp_wallet.core.matching import Payment

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
LISTS = {
    "assets": "ASSET_NOT_ALLOWED",
    "chains": "CHAIN_NOT_ALLOWED",
    "recipients": "RECIPIENT_NOT_ALLOWED",
    "operations": "OPERATION_NOT_ALLOWED",
    "categories": "CATEGORY_NOT_ALLOWED",
    "hours": "OUTSIDE_HOURS",
}
ANOMALIES = {
    "ANOMALY_AMOUNT": "amount",
    "ANOMALY_NEW_RECIPIENT": "newRecipient",
    "ANOMALY_VELOCITY": "velocity",
    "ANOMALY_PROBING": "probing",
}
ENDLESS = str(2**300)
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@dataclass(frozen=True)
class World:
    """Chains by name, assets by id as (symbol, decimals), payees by name as (address, time added), caps."""

    chains: Mapping[str, str]
    assets: Mapping[str, tuple[str, int]]
    payees: Mapping[str, tuple[str, int]]
    fee_caps: Mapping[str, tuple[int, int]]
    pending_max: int


@dataclass
class Past:
    """A payment of the past; it counts unless it was given back."""

    payment: Payment
    counts: bool = True


@dataclass(frozen=True)
class Answer:
    """What the gate says: outcome, codes in no order, what remains in whole units (or numbers)."""

    outcome: str
    codes: frozenset[str]
    remaining: Mapping[str, Fraction]


@dataclass(frozen=True)
class NaiveGate:
    """One policy in one world."""

    policy: Mapping[str, Any]
    world: World
    counted: dict[tuple[str, int], dict[str, str] | None] = field(default_factory=dict)
    """Under a limit and a past payment: its group, or None when the limit does not count it; neither ever changes."""

    def decide(self, payment: Payment, past: Sequence[Past], counters: Counters, facts: Facts, now_ms: int) -> Answer:
        """Return the answer; of `counters` only what is no window is read, the windows are counted from `past`."""
        denials = self.engine(payment, counters, facts, now_ms) | {"FROZEN" for _ in counters.frozen_by}
        denials |= self.validity(now_ms) | self.admission(payment) | self.denied(payment)
        denials |= ({counters.duplicate} - {""}) | self.lookalike(payment)
        denials |= self.timing(payment, past, now_ms) | self.chain(payment, counters, facts)
        before: dict[str, Fraction] = {}
        after: dict[str, Fraction] = {}
        for limit in self.policy.get("limits", []):
            if not self.mismatches(limit.get("match", {}), payment):
                denials |= self.limit(limit, payment, past, now_ms, before, after)
        asked = {"APPROVAL_REQUIRED" for r in self.rules("requireApproval") if not self.mismatches(r["match"], payment)}
        found = {str(a.code): self.policy["anomaly"][ANOMALIES[str(a.code)]] for a in counters.anomalies}
        denials |= {code for code, action in found.items() if action in ("deny", "freeze")}
        asked |= {"APPROVAL_REQUIRED" for action in found.values() if action == "requireApproval"}
        noted = {code for code, action in found.items() if action in ("alert", "requireApproval")}
        if asked and not denials and counters.pending >= self.world.pending_max:
            denials = {"TOO_MANY_PENDING"}
        if denials:
            return Answer("DENY", frozenset(denials | asked | noted), before)
        if asked:
            return Answer("REQUIRE_APPROVAL", frozenset(asked | noted), after)
        return Answer("ALLOW", frozenset({"OK"} | noted), after)

    # -- rules ------------------------------------------------------------------------------------------------

    def rules(self, effect: str) -> list[Mapping[str, Any]]:
        return [rule for rule in self.policy["rules"] if rule["effect"] == effect]

    def admission(self, payment: Payment) -> set[str]:
        own = [rule for rule in self.rules("allow") if payment.agent in rule["match"].get("agents", [payment.agent])]
        reasons = []
        for rule in own:
            missing = self.mismatches({"operations": ["transfer"], **rule["match"]}, payment)
            if not missing:
                bounds, human = rule["perTransaction"], self.human(payment)
                if human > number(bounds["max"]):
                    reasons.append({"PER_TX_LIMIT_EXCEEDED"})
                elif human < number(bounds.get("min", "0")):
                    reasons.append({"BELOW_MINIMUM"})
                else:
                    return set()
        if reasons:
            return set().union(*reasons)
        all_missing = [self.mismatches({"operations": ["transfer"], **rule["match"]}, payment) for rule in own]
        refusing = {
            code
            for part, code in LISTS.items()
            if own and (all(part in missing for missing in all_missing) or {part} in all_missing)
        }
        return {"NO_MATCHING_RULE"} | refusing

    def denied(self, payment: Payment) -> set[str]:
        matching = [rule["match"] for rule in self.rules("deny") if not self.mismatches(rule["match"], payment)]
        return {"RECIPIENT_DENIED" if m.get("recipients", "any") != "any" else "RULE_DENIED" for m in matching}

    def mismatches(self, match: Mapping[str, Any], payment: Payment) -> set[str]:
        symbol, _ = self.world.assets[payment.asset]
        chains = [self.world.chains.get(name, name) for name in match.get("chains", [payment.chain])]
        fits = {
            "agents": payment.agent in match.get("agents", [payment.agent]),
            "chains": payment.chain in chains,
            "assets": bool({symbol, payment.asset} & set(match.get("assets", [symbol]))),
            "operations": payment.operation in match.get("operations", [payment.operation]),
            "recipients": self.names(match.get("recipients", "any"), payment.to),
            "categories": payment.category in match.get("categories", [payment.category]),
            "hours": "hours" not in match or self.is_open(match["hours"], payment.at_ms),
        }
        if "amount" in match and fits["chains"] and fits["assets"]:
            fits["amount"] = self.amount_fits(match["amount"], self.human(payment))
        return {part for part, fit in fits.items() if not fit}

    def amount_fits(self, bounds: Mapping[str, str], human: Fraction) -> bool:
        return (
            human > number(bounds.get("gt", "-1"))
            and human >= number(bounds.get("gte", "-1"))
            and human < number(bounds.get("lt", ENDLESS))
            and human <= number(bounds.get("lte", ENDLESS))
        )

    def is_open(self, hours: Mapping[str, Any], at_ms: int) -> bool:
        now = wall(at_ms, hours.get("timezone") or self.policy.get("timezone", "UTC"))
        clock, today, yesterday = now.strftime("%H:%M"), DAYS[now.weekday()], DAYS[now.weekday() - 1]
        days, start, end = hours.get("days") or DAYS, hours.get("start", "00:00"), hours.get("end", "24:00")
        if "days" in hours and not hours["days"]:
            return False
        if start < end:
            return today in days and start <= clock < end
        return (today in days and clock >= start) or (yesterday in days and clock < end)

    def names(self, recipients: Any, address: str) -> bool:
        if recipients == "any":
            return True
        entries = self.policy["lists"][recipients["list"]] if isinstance(recipients, dict) else recipients
        return address in [self.world.payees[e][0] if e in self.world.payees else e for e in entries]

    def human(self, payment: Payment) -> Fraction:
        return whole_units(payment.amount_units, self.world.assets[payment.asset][1])

    # -- limits -----------------------------------------------------------------------------------------------

    def limit(  # noqa: PLR0917
        self,
        limit: Mapping[str, Any],
        payment: Payment,
        past: Sequence[Past],
        now_ms: int,
        before: dict[str, Fraction],
        after: dict[str, Fraction],
    ) -> set[str]:
        own = self.group(limit, payment)
        counted = [
            p.payment
            for index, p in enumerate(past)
            if p.counts
            and self.group_of_past(limit, index, p.payment) == own
            and is_within(limit["window"], p.payment.at_ms, now_ms)
        ]
        people = {p.to for p in counted}
        rows = []
        if "maxAmount" in limit:
            unit = Fraction(1, 10 ** self.world.assets[payment.asset][1])
            most = number(limit["maxAmount"]) // unit * unit
            spent = whole_units(sum(p.amount_units for p in counted), self.world.assets[payment.asset][1])
            rows.append(("WINDOW_LIMIT_EXCEEDED", most, spent, self.human(payment)))
        if "maxCount" in limit:
            rows.append(("COUNT_LIMIT_EXCEEDED", Fraction(limit["maxCount"]), Fraction(len(counted)), Fraction(1)))
        if "maxDistinctRecipients" in limit:
            taken = Fraction(payment.to not in people)
            rows.append(
                ("DISTINCT_LIMIT_EXCEEDED", Fraction(limit["maxDistinctRecipients"]), Fraction(len(people)), taken)
            )
        _, most, used, taken = rows[0]
        before[limit["id"]] = max(Fraction(0), most - used)
        after[limit["id"]] = max(Fraction(0), most - used - taken)
        return {code for code, most, used, taken in rows if taken and used + taken > most}

    def group_of_past(self, limit: Mapping[str, Any], index: int, payment: Payment) -> dict[str, str] | None:
        key = limit["id"], index
        if key not in self.counted:
            fits = not self.mismatches(limit.get("match", {}), payment)
            self.counted[key] = self.group(limit, payment) if fits else None
        return self.counted[key]

    def group(self, limit: Mapping[str, Any], payment: Payment) -> dict[str, str]:
        values = {
            "agent": payment.agent,
            "recipient": payment.to,
            "asset": payment.asset,
            "chain": payment.chain,
            "category": payment.category,
        }
        return {name: values[name] for name in limit.get("groupBy", [])}

    # -- time, guards and facts -------------------------------------------------------------------------------

    def validity(self, now_ms: int) -> set[str]:
        validity = self.policy.get("validity", {})
        begun = "notBefore" not in validity or time_ms(validity["notBefore"]) <= now_ms
        over = "expiresAt" in validity and time_ms(validity["expiresAt"]) <= now_ms
        return ({"NOT_YET_ACTIVE"} if not begun else set()) | ({"EXPIRED"} if over else set())

    def timing(self, payment: Payment, past: Sequence[Past], now_ms: int) -> set[str]:
        codes = set()
        last = [
            p.payment.at_ms for p in past if p.counts and (p.payment.agent, p.payment.to) == (payment.agent, payment.to)
        ]
        if "cooldown" in self.policy and last and now_ms - max(last) < duration_ms(self.policy["cooldown"]):
            codes.add("COOLDOWN")
        if "newRecipientHold" in self.policy:
            added = [at for address, at in self.world.payees.values() if address == payment.to]
            known = added[0] if added else (0 if self.is_listed(payment.to) else now_ms)
            if now_ms - known < duration_ms(self.policy["newRecipientHold"]):
                codes.add("NEW_RECIPIENT_HOLD")
        return codes

    def is_listed(self, address: str) -> bool:
        allowing = [rule["match"]["recipients"] for rule in self.rules("allow")]
        return any(recipients != "any" and self.names(recipients, address) for recipients in allowing)

    def lookalike(self, payment: Payment) -> set[str]:
        payees = [address for address, _ in self.world.payees.values()]
        alike = any(payment.to[2:5] == a[2:5] and payment.to[-4:] == a[-4:] for a in payees)
        return (
            {"RECIPIENT_LOOKALIKE"} if alike and payment.to not in payees and not self.is_listed(payment.to) else set()
        )

    def engine(self, payment: Payment, counters: Counters, facts: Facts, now_ms: int) -> set[str]:
        codes = {counters.halted} - {""}
        if counters.wall_ms < counters.last_event_ms - 2_000:
            codes.add("CLOCK_UNTRUSTED")
        if facts.source:
            expected, mined = counters.ledger_nonce, facts.account_nonce
            if expected is not None and mined is not None and mined > expected:
                codes.add("ROLLBACK_DETECTED")
            if payment.chain != "eip155:31337" and facts.block_time_ms is not None:
                codes |= {"CLOCK_UNTRUSTED"} if abs(facts.block_time_ms - now_ms) > 300_000 else set()
            elif payment.chain != "eip155:31337" and counters.last_event_ms:
                codes |= {"CLOCK_UNTRUSTED"} if now_ms - counters.last_event_ms > 3_600_000 else set()
        return codes

    def chain(self, payment: Payment, counters: Counters, facts: Facts) -> set[str]:
        if not facts.source:
            return set()
        codes = {"SIMULATION_REVERTED"} if facts.simulation_revert else set()
        fee = (facts.gas_limit or 0) * (facts.max_fee_wei or 0)
        native = fee + (payment.amount_units if "/slip44:" in payment.asset else 0)
        for balance, needed in ((facts.asset_balance_units, payment.amount_units), (facts.native_balance_wei, native)):
            if balance is not None and balance < needed:
                codes.add("INSUFFICIENT_FUNDS")
        cap, day_cap = self.world.fee_caps.get(payment.chain, (0, 0))
        if fee and (fee > cap or fee + counters.fees_today_wei > day_cap):
            codes.add("FEE_CAP_EXCEEDED")
        return codes


@lru_cache
def number(text: str) -> Fraction:
    return Fraction(text)


@lru_cache(maxsize=100_000)
def whole_units(units: int, decimals: int) -> Fraction:
    return Fraction(units, 10**decimals)


def is_within(window: Mapping[str, Any], at_ms: int, now_ms: int) -> bool:
    if "lifetime" in window:
        return True
    if "rolling" in window:
        return at_ms > now_ms - duration_ms(window["rolling"])
    then, now = wall(at_ms, window["timezone"]).date(), wall(now_ms, window["timezone"]).date()
    if window["calendar"] == "day":
        return then == now
    if window["calendar"] == "week":
        return then - timedelta(then.weekday()) == now - timedelta(now.weekday())
    return (then.year, then.month) == (now.year, now.month)


@lru_cache(maxsize=100_000)
def wall(at_ms: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, ZoneInfo(timezone))


def duration_ms(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]] * 1000


def time_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
