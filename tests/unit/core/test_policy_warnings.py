"""What `policy validate` points out: each kind at its place, and nothing about a policy that means what it says."""

import json

import pytest

from mcp_wallet.core.policy import load_policy
from mcp_wallet.core.policy_warnings import policy_warnings
from mcp_wallet.core.registry import SHIPPED
from mcp_wallet.core.resolve import resolve_policy
from tests.fakes import BOOK

RULE = '  - {id: a, effect: allow, match: {assets: [usdc], recipients: [alice]}, perTransaction: {max: "100"}}\n'
HEAD = "version: 1\nid: p\nrules:\n" + RULE
DAY = '  - {id: day, match: {assets: [usdc]}, maxAmount: "500", window: {rolling: 24h}}\n'


def warnings(text: str, name: str = "p.yaml") -> list[str]:
    policy = load_policy(text, name=name, registry=SHIPPED, book=BOOK)
    document = resolve_policy(policy, registry=SHIPPED, book=BOOK, read_list=lambda _: "")
    return list(policy_warnings(policy, document))


WARNED = {
    "anyone": (HEAD.replace("[alice]", "any"), "p.yaml:4:64: `a` can pay anyone"),
    "an unused list": (HEAD + "lists:\n  vips: [alice]\n", "p.yaml:6:9: the list `vips` is used by no rule"),
    "an empty part": (HEAD.replace("[alice]", "[]"), "p.yaml:4:5: `a` can never match"),
    "no weekday": (HEAD.replace("assets", "hours: {days: []}, assets"), "`a` can never match"),
    "an amount above its own bound": (HEAD.replace("assets", 'amount: {gt: "100"}, assets'), "`a` can never match"),
    "a question never asked": (
        HEAD + '  - {id: big, effect: requireApproval, match: {amount: {gt: "100"}}}\n',
        "p.yaml:5:5: `big` can never matter",
    ),
    "a denial of nobody": (HEAD + "  - {id: no, effect: deny, match: {recipients: [bob]}}\n", "`no` can never matter"),
    "a limit on nothing": (
        HEAD + "limits:\n  - {id: l, match: {assets: [eth]}, maxCount: 1, window: {rolling: 1h}}\n",
        "p.yaml:6:5: `l` can never bind: no allow rule",
    ),
    "an hour as wide as the day": (
        HEAD + "limits:\n" + DAY + DAY.replace("day", "hour").replace("24h", "1h"),
        "p.yaml:7:52: `hour` can never bind: `day` is always reached first",
    ),
    "a limit said twice": (
        HEAD + "limits:\n" + DAY + DAY.replace("day", "again"),
        "p.yaml:7:53: `again` can never bind: `day` is always reached first",
    ),
    "a calendar day as wide as all time": (
        HEAD
        + "limits:\n  - {id: d, maxCount: 9, window: {calendar: day, timezone: UTC}}\n"
        + "  - {id: ever, maxCount: 9, window: {lifetime: true}}\n",
        "p.yaml:6:23: `d` can never bind: `ever` is always",
    ),
}


@pytest.mark.parametrize("case", WARNED)
def test_a_warning_is_given_for(case: str):
    text, sentence = WARNED[case]
    found = warnings(text)
    assert len(found) == 1, found
    assert sentence in found[0]


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        HEAD + '  - {id: big, effect: requireApproval, match: {amount: {gt: "99.99"}}}\n',
        HEAD + "  - {id: no, effect: deny, match: {recipients: [alice], agents: [x]}}\n",
        HEAD + "limits:\n" + DAY + DAY.replace("day", "hour").replace("24h", "1h").replace("500", "499.99"),
        HEAD + "limits:\n" + DAY + DAY.replace("day", "each").replace("window", "groupBy: [agent], window"),
        HEAD + "limits:\n" + DAY + DAY.replace("day", "cal").replace("rolling: 24h", "calendar: day, timezone: UTC"),
    ],
)
def test_a_policy_that_means_what_it_says_is_left_alone(text: str):
    assert warnings(text) == []


def test_the_short_form_has_no_warnings():
    short = {
        "perTransactionLimit": "1",
        "dailyLimit": "1",
        "recipientWhitelist": ["alice"],
        "allowedAssets": ["usdc"],
    }
    assert warnings(json.dumps(short), "p.json") == []
