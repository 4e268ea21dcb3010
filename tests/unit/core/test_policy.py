"""Policies load strictly: every problem at once, each with its line, column and a sentence."""

import json

import jsonschema
import pytest

from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.payees import AddressBook, Payee
from mcp_wallet.core.policy import load_policy, policy_schema
from mcp_wallet.core.policy_source import parse_source
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED, Registry, token_asset

ALICE = Address("0x" + "a1" * 20)
BOOK = AddressBook(payees=(Payee(name="alice", address=ALICE),))
ODD_USDC = token_asset(SHIPPED.chains[0].chain_id, "usdc", "0x" + "dd" * 20, 18)
ALLOW = '  - {id: a, effect: allow, match: {assets: [usdc], recipients: any}, perTransaction: {max: "100"}}'
HEAD = "version: 1\nid: p\nrules:\n" + ALLOW + "\n"
SHORT = {
    "perTransactionLimit": "1000",
    "dailyLimit": "5000",
    "recipientWhitelist": [ALICE],
    "allowedAssets": ["usdc"],
}


def problems_of(text: str, name: str = "p.yaml", registry: Registry = SHIPPED) -> list[str]:
    with pytest.raises(OwnerError) as refused:
        load_policy(text, name=name, registry=registry, book=BOOK)
    assert refused.value.code is ReasonCode.POLICY_INVALID
    assert refused.value.details["count"] == str(len(refused.value.details["problems"].splitlines()))
    return refused.value.details["problems"].splitlines()


def load(text: str, name: str = "p.yaml"):
    return load_policy(text, name=name, registry=SHIPPED, book=BOOK)


def limits(*rows: str) -> str:
    return HEAD + "limits:\n" + "".join(f"  - {row}\n" for row in rows)


def rules(*rows: str) -> str:
    return "version: 1\nid: p\nrules:\n" + "".join(f"  - {row}\n" for row in rows)


BAD = {
    "a misspelt field": (HEAD + "cooldwn: 30s\n", "p.yaml:5:1: there is no field `cooldwn`: did you mean `cooldown`?"),
    "a field of another place": (HEAD + "hours: {}\n", "p.yaml:5:1: there is no field `hours`"),
    "hours that never are": (
        HEAD.replace("assets", 'hours: {start: "08:00", end: "08:00"}, assets'),
        "p.yaml:4:65: `start` and `end` must be two times of day",
    ),
    "hours that no clock shows": (HEAD.replace("assets", 'hours: {start: "8:00"}, assets'), "is written as `08:00`"),
    "a day of no week": (HEAD.replace("assets", "hours: {days: [monday]}, assets"), "this must be `mon`, `tue`"),
    "hours of nowhere": (HEAD.replace("assets", "hours: {timezone: Europe/Paris2}, assets"), "not an IANA time zone"),
    "a misspelt part of hours": (HEAD.replace("assets", "hours: {strat: '08:00'}, assets"), "did you mean `start`?"),
    "a duplicate key": (HEAD + "id: q\n", "p.yaml:5:1: `id` is given twice"),
    "an emptied field": (HEAD + "cooldown:\n", "p.yaml:5:1: this is empty"),
    "another version": (HEAD.replace("1", "2", 1), "p.yaml:1:10: this wallet reads version 1"),
    "a version in quotes": (HEAD.replace("1", "'1'", 1), "p.yaml:1:10: this wallet reads version 1"),
    "no rules": ("version: 1\nid: p\n", "p.yaml:1:1: the field `rules` is missing"),
    "an unquoted amount": (HEAD.replace('"100"', "100"), "p.yaml:4:92: this must be text: put it in quotes"),
    "an unquoted fraction": (HEAD.replace('"100"', "100.5"), "p.yaml:4:92: this must be text: put it in quotes"),
    "an amount with an exponent": (HEAD.replace('"100"', '"1e2"'), "p.yaml:4:92: an amount is quoted digits"),
    "a negative limit": (HEAD.replace('"100"', '"-1"'), "p.yaml:4:92: an amount is quoted digits"),
    "a limit of zero": (HEAD.replace('"100"', '"0.00"'), "p.yaml:4:92: a limit of zero"),
    "too many places": (HEAD.replace('"100"', '"1.0000001"'), "more decimal places than the asset: at most 6"),
    "less than a unit": (HEAD.replace("usdc", "eth, usdc").replace('"100"', '"0.0000001"'), "less than the smallest"),
    "min above max": (HEAD.replace('{max: "100"}', '{max: "1", min: "2"}'), "`perTransaction.min` is above `max`"),
    "an unknown asset": (HEAD.replace("usdc", "doge"), "p.yaml:4:45: no asset is called `doge`"),
    "an unknown chain": (HEAD.replace("assets", "chains: [bse], assets"), "chain `bse` is not known here"),
    "an asset that is not there": (
        HEAD.replace("assets: [usdc]", "chains: [polygon], assets: [eth]"),
        "the asset `eth` is on none of the rule's chains",
    ),
    "an unknown payee": (HEAD.replace("any", "[bob]"), "p.yaml:4:65: no payee is called `bob`"),
    "a wrong checksum": (HEAD.replace("any", '["0xAa' + "a" * 38 + '"]'), "has a wrong EIP-55 checksum"),
    "an undefined list": (HEAD.replace("any", "{list: vips}"), "p.yaml:4:71: no list is called `vips`"),
    "a misspelt list": (HEAD.replace("any", "{lst: vips}"), "there is no field `lst`: did you mean `list`?"),
    "an unknown operation": (HEAD.replace("assets", "operations: [mint], assets"), "no operation is called `mint`"),
    "an allow rule for any asset": (HEAD.replace("assets: [usdc], ", ""), "an allow rule must name its `assets`"),
    "an allow rule for silent anyone": (HEAD.replace(", recipients: any", ""), "must name its `recipients`"),
    "an allow rule without a bound": (HEAD.replace(', perTransaction: {max: "100"}', ""), "needs `perTransaction`"),
    "equal ids": (rules(ALLOW[4:], ALLOW[4:]), "p.yaml:5:10: the id `a` is used twice"),
    "a rule and a limit of one id": (limits("{id: a, maxCount: 1, window: {rolling: 1h}}"), "the id `a` is used twice"),
    "bounds that exclude all": (rules('{id: d, effect: deny, match: {amount: {gt: "5", lt: "5"}}}'), "exclude every"),
    "a bound on a denial": (rules('{id: d, effect: deny, match: {}, perTransaction: {max: "1"}}'), "allow rules only"),
    "an approval on a denial": (rules("{id: d, effect: deny, match: {}, approval: {}}"), "requireApproval rules only"),
    "a quorum above the approvers": (
        rules("{id: d, effect: requireApproval, match: {}, approval: {quorum: 2, approvers: [nora, nora]}}"),
        "a quorum of 2 is above the 1 approvers named",
    ),
    "a limit that limits nothing": (limits("{id: l, window: {rolling: 1h}}"), "a limit needs `maxAmount`"),
    "a sum of different assets": (limits('{id: l, maxAmount: "9", window: {rolling: 1h}}'), "of one symbol"),
    "a calendar of nowhere": (limits("{id: l, maxCount: 1, window: {calendar: day}}"), "names its `timezone`"),
    "a calendar year": (limits("{id: l, maxCount: 1, window: {calendar: year, timezone: UTC}}"), "this must be `day`"),
    "a calendar on Mars": (limits("{id: l, maxCount: 1, window: {calendar: day, timezone: Mars}}"), "not an IANA time"),
    "a rolling window somewhere": (
        limits("{id: l, maxCount: 1, window: {rolling: 1h, timezone: UTC}}"),
        "`timezone` belongs to calendar windows only",
    ),
    "a window of two kinds": (
        limits("{id: l, maxCount: 1, window: {rolling: 1h, lifetime: true}}"),
        "p.yaml:6:34: a window is one of",
    ),
    "a window of no kind": (limits("{id: l, maxCount: 1, window: {}}"), "a window is one of"),
    "no lifetime": (limits("{id: l, maxCount: 1, window: {lifetime: false}}"), "this value is not usable here"),
    "a week above the calendar month": (
        limits(
            "{id: w, maxCount: 9, window: {rolling: 1w}}",
            "{id: m, maxCount: 8, window: {calendar: month, timezone: UTC}}",
        ),
        "`w` allows more in 1w than `m` in a calendar month",
    ),
    "a calendar day above all time": (
        limits(
            "{id: d, maxCount: 9, window: {calendar: day, timezone: UTC}}",
            "{id: all, maxCount: 8, window: {lifetime: true}}",
        ),
        "`d` allows more in a calendar day than `all` in all time",
    ),
    "a duration of zero": (limits("{id: l, maxCount: 1, window: {rolling: 0h}}"), "a duration is a number above 0"),
    "a count of zero": (limits("{id: l, maxCount: 0, window: {rolling: 1h}}"), "this must be at least 1"),
    "a boolean count": (limits("{id: l, maxCount: true, window: {rolling: 1h}}"), "this must be a whole number"),
    "an unknown group": (limits("{id: l, maxCount: 1, window: {rolling: 1h}, groupBy: [org]}"), "this must be `agent`"),
    "amounts that do not nest": (
        limits(
            '{id: day, match: {assets: [usdc]}, maxAmount: "200", window: {rolling: 24h}}',
            '{id: hour, match: {assets: [usdc]}, maxAmount: "201", window: {rolling: 1h}}',
        ),
        "p.yaml:7:52: limits must nest: `hour` allows more in 1h than `day` in 24h",
    ),
    "counts that do not nest": (
        limits("{id: w, maxCount: 4, window: {rolling: 1w}}", "{id: d, maxCount: 5, window: {rolling: 1d}}"),
        "`d` allows more in 1d than `w` in 1w",
    ),
    "one payment above the hour": (
        limits('{id: l, match: {assets: [usdc], recipients: any}, maxAmount: "99.99", window: {rolling: 1h}}'),
        "p.yaml:4:92: limits must nest: one payment may be more than `l` allows in 1h",
    ),
    "a validity that ends before it begins": (
        HEAD + "validity: {notBefore: '2027-01-01T00:00:00Z', expiresAt: '2027-01-01T00:00:00Z'}\n",
        "`expiresAt` is not after `notBefore`",
    ),
    "a time without a zone": (HEAD + "validity: {notBefore: '2027-01-01T00:00:00'}\n", "a time is written as"),
    "an unknown zone": (HEAD + "timezone: Mars/Olympus\n", "`Mars/Olympus` is not an IANA time zone"),
    "an unknown test": (HEAD + "anomaly: {probng: deny}\n", "p.yaml:5:11: there is no field `probng`: did you mean"),
    "an unknown action": (HEAD + "anomaly: {probing: stop}\n", "p.yaml:5:20: this must be `alert`, `requireApproval`"),
    "an alias": (HEAD.replace("any", "&x [alice]") + "lists: {l: *x}\n", "anchors and aliases are not read here"),
    "a tag": (HEAD + "cooldown: !!python/name:os.system 5s\n", "is not read here"),
    "a list instead of an object": ("- a\n", "p.yaml:1:1: a policy is an object"),
    "nothing": ("", "p.yaml:1:1: a policy is an object"),
    "no YAML": ("rules: [", "this is not YAML"),
    "a NUL": ("a: \x00", "a character that text may not hold"),
    "two documents": (HEAD + "---\n" + HEAD, "this is not YAML"),
    "endless nesting": ("[" * 5000, "nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_policy_refuses_to_load_for(case: str):
    text, sentence = BAD[case]
    found = problems_of(text)
    assert any(sentence in problem for problem in found), found


def test_all_problems_are_reported_at_once_each_at_its_place():
    text = rules(
        "{id: a, effect: allow, match: {asset: [usdc], recipients: any}, perTransaction: {max: 5}}",
        "{id: a, effect: deny, match: {recipients: {list: foes}, chains: [bse]}}",
    )
    places = [problem.split(": ", 1)[0] for problem in problems_of(text + "cooldown: soon\n")]
    assert places == ["p.yaml:4:36", "p.yaml:4:91", "p.yaml:5:10", "p.yaml:5:54", "p.yaml:5:70", "p.yaml:6:11"]


BAD_SHORT: dict[str, tuple[dict[str, object], str]] = {
    "a point in base units": ({"dailyLimit": "50.00"}, "quoted digits of base units"),
    "a number": ({"dailyLimit": 5000}, "put it in quotes"),
    "a zero": ({"dailyLimit": "0"}, "a limit of zero"),
    "an empty whitelist": ({"recipientWhitelist": []}, "an empty list allows nothing"),
    "no assets": ({"allowedAssets": []}, "an empty list allows nothing"),
    "an unknown asset": ({"allowedAssets": ["doge"]}, "no asset is called `doge`"),
    "a stranger's name": ({"recipientWhitelist": ["bob"]}, "no payee is called `bob`"),
    "a misspelt field": ({"dailyLimt": "5"}, "there is no field `dailyLimt`: did you mean `dailyLimit`?"),
    "a day below one payment": ({"dailyLimit": "999"}, "`perTransactionLimit` is above `dailyLimit`"),
    "an hour above the day": ({"hourlyLimit": "5001"}, "`hourlyLimit` is above `dailyLimit`"),
    "a count of zero": ({"maxTxPerHour": 0}, "this must be at least 1"),
    "a null": ({"hourlyLimit": None}, "this is empty"),
}


@pytest.mark.parametrize("case", BAD_SHORT)
def test_the_short_form_refuses_to_load_for(case: str):
    change, sentence = BAD_SHORT[case]
    found = problems_of(json.dumps({**SHORT, **change}, indent=1), "s.json")
    assert any(sentence in problem for problem in found), found


@pytest.mark.parametrize("field", SHORT)
def test_the_short_form_needs_its_four_fields(field: str):
    text = json.dumps({k: v for k, v in SHORT.items() if k != field})
    assert f"s.json:1:1: the field `{field}` is missing" in problems_of(text, "s.json")


def test_a_duplicate_key_in_json_is_found_with_its_line():
    text = '{\n\t"perTransactionLimit": "1",\n\t"perTransactionLimit": "2"\n}'
    assert "s.json:3:2: `perTransactionLimit` is given twice" in problems_of(text, "s.json")


@pytest.mark.parametrize("text", ["{", "{'a': 1}", '{"a": NaN}', "# comment", '{"a": 1,}', "[" * 100_000])
def test_a_json_file_is_strict_json(text: str):
    assert problems_of(text, "s.json")[0].startswith("s.json:")


def test_one_symbol_with_different_decimals_is_not_added_up():
    odd = Registry(chains=SHIPPED.chains, assets=(*SHIPPED.assets, ODD_USDC))
    text = limits('{id: l, match: {assets: [usdc]}, maxAmount: "500", window: {rolling: 1h}}')
    assert "equal decimals" in problems_of(text, registry=odd)[0]
    assert "equal decimals" in problems_of(json.dumps(SHORT), "s.json", registry=odd)[0]
    load_policy(text.replace("window", "groupBy: [asset], window"), name="p.yaml", registry=odd, book=BOOK)


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nid: p\nrules: []\n",
        HEAD,
        HEAD.replace("usdc", "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bda02913"),
        HEAD.replace("any", "[]"),
        HEAD.replace("any", f'[alice, "{ALICE}"]'),
        HEAD + "validity: {notBefore: 2027-01-01T00:00:00Z}\ncooldown: 30s\nnewRecipientHold: 1w\n",
        limits('{id: l, match: {assets: [usdc, eth]}, maxAmount: "5", window: {rolling: 1h}, groupBy: [asset]}'),
        limits('{id: l, match: {assets: [usdc], chains: [base]}, maxAmount: "5", window: {rolling: 1h}}'),
        rules("{id: r, effect: requireApproval, match: {}}"),
        rules('{id: n, effect: deny, match: {hours: {days: [fri], start: "22:00", end: "06:00"}}}'),
        rules("{id: n, effect: deny, match: {hours: {days: [sat, sun], timezone: Europe/London}}}"),
        limits("{id: l, maxCount: 1, window: {lifetime: true}}"),
        HEAD + "anomaly: {amount: alert, newRecipient: requireApproval, velocity: deny, probing: freeze}\n",
        limits(
            "{id: r, maxCount: 9, window: {rolling: 24h}}",
            "{id: c, maxCount: 8, window: {calendar: day, timezone: Asia/Tokyo}}",
        ),
    ],
)
def test_a_policy_loads(text: str):
    assert load(text).policy_id == "p"


def test_the_short_form_is_called_after_its_file():
    assert load(json.dumps(SHORT), "refund agent.v2.json").policy_id == "refund-agent"


def test_the_schema_is_one_and_knows_both_forms():
    schema = policy_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(SHORT)
    assert validator.is_valid(parse_source(HEAD, name="p.yaml").data)
    assert not validator.is_valid({**SHORT, "dailyLimt": "5"})
    assert not validator.is_valid({**SHORT, "dailyLimit": "5.5"})


def test_terminal_markup_in_a_file_does_not_reach_the_terminal():
    assert "\x1b" not in problems_of('{"a\\u001b[31m": 1, "rules": []}', "s.json")[0]
