"""`policy test`: the cases beside a policy, and what it says when they, or the policy, are wrong."""

import json
from pathlib import Path

import pytest

from mcp_wallet.control.policy_files import load_policy_file
from mcp_wallet.control.policy_test import TestReport, run_policy_tests
from mcp_wallet.core.errors import OwnerError
from mcp_wallet.core.payees import AddressBook
from mcp_wallet.core.registry import SHIPPED

POLICIES = Path(__file__).parents[3] / "policies"
ALICE = "0xa11ce00000000000000000000000000000000001"
POLICY = """
version: 1
id: p
lists: {friends: [alice, bob]}
rules:
  - id: pay
    effect: allow
    match: {agents: [a], chains: [base], assets: [usdc, yen], recipients: {list: friends}}
    perTransaction: {max: "100.00"}
limits:
  - {id: day, match: {assets: [usdc]}, maxAmount: "150.00", window: {rolling: 24h}, groupBy: [agent]}
  - {id: number, maxCount: 3, window: {rolling: 1h}}
newRecipientHold: 24h
"""
SHEET = f"""
policy: p.yaml
payees:
  alice: "{ALICE}"
  bob: {{address: "0xb0b0000000000000000000000000000000000002", addedAt: "2026-03-09T12:00:01Z"}}
assets: [{{symbol: yen, chain: base, address: "0x00000000000000000000000000000000000000ee", decimals: 0}}]
cases:
"""


def case(payment: str, expect: str, more: str = "") -> str:
    head = '  - {name: c, now: "2026-03-10T12:00:00Z", payment: {agent: a, chain: base, asset: usdc, to: alice, '
    return f"{head}{payment}}}, expect: {{{expect}}}{', ' + more if more else ''}}}\n"


def run(folder: Path, *cases: str, policy: str = POLICY, sheet: str = SHEET) -> TestReport:
    (folder / "p.yaml").write_text(policy)
    (folder / "p.test.yaml").write_text(sheet + "".join(cases))
    return run_policy_tests([folder / "p.test.yaml"])


def past(status: str, amount: str = "100.00", at: str = "2026-03-10T11:00:01Z") -> str:
    what = f'agent: a, chain: base, asset: usdc, to: alice, amount: "{amount}"'
    return f'history: [{{at: "{at}", {what}, status: {status}}}]'


@pytest.mark.parametrize(
    "written",
    [
        case('amount: "50.00"', 'decision: ALLOW, reasons: [OK], remaining: {day: "100.00", number: "2"}'),
        case('amount: "50.01"', "decision: DENY, reasons: [WINDOW_LIMIT_EXCEEDED]", past("confirmed")),
        case('amount: "50.01"', "decision: DENY, remaining: {day: '50.00'}", past("held")),
        case('amount: "50.01"', "decision: ALLOW, remaining: {day: '99.99'}", past("failed")),
        case('amount: "50.01"', "decision: ALLOW", past("released")),
        case('amount: "50.01"', "decision: ALLOW", past("expired")),
        case('amount: "50.01"', "decision: ALLOW", past("held", at="2026-03-09T12:00:00Z")),
        case('amount: "50.01"', "decision: DENY", past("held", at="2026-03-09T12:00:01Z")),
        case('amount: "0.01", to: bob', "decision: DENY, reasons: [NEW_RECIPIENT_HOLD]").replace("to: alice, ", ""),
        case('amount: "100", asset: yen', "decision: ALLOW, remaining: {day: '150'}").replace("asset: usdc, ", ""),
        case("amount: 50", "decision: ALLOW"),
        case("amount: 50.5", "decision: DENY, reasons: [AMOUNT_INVALID]"),
        case("amount: [50]", "decision: DENY, reasons: [AMOUNT_INVALID]"),
        case("amount: null", "decision: DENY, reasons: [AMOUNT_INVALID], remaining: {day: '150.00'}"),
        case("amount: true", "decision: DENY, reasons: [AMOUNT_INVALID]"),
        case("note: x", "decision: DENY, reasons: [INTENT_INVALID]"),
        case('amount: "1", to: carol', "decision: DENY, reasons: [RECIPIENT_UNKNOWN]").replace("to: alice, ", ""),
        case('amount: "1"', "decision: DENY, reasons: [FROZEN]", "frozen: [{all: true}]"),
        case('amount: "1"', "decision: DENY, reasons: [FROZEN]", "frozen: [{recipient: alice}]"),
        case('amount: "1"', "decision: DENY, reasons: [FROZEN]", "frozen: [{asset: usdc}, {chain: base}]"),
        case('amount: "1"', "decision: ALLOW", "frozen: [{agent: b}, {recipient: bob}, {asset: eth}]"),
        case('amount: "1"', "decision: ALLOW", 'clock: {last: "2026-03-10T12:00:02Z"}'),
        case('amount: "1"', "decision: DENY, reasons: [CLOCK_UNTRUSTED]", 'clock: {last: "2026-03-10T12:00:03Z"}'),
        case('amount: "1", operation: mint', "decision: DENY, reasons: [OPERATION_NOT_ALLOWED]"),
        case('amount: "1"', "decision: ALLOW").replace("chain: base, asset: usdc", "asset: usdc"),
    ],
)  # fmt: skip
def test_a_case_that_is_right_passes(tmp_path: Path, written: str):
    report = run(tmp_path, written)
    assert [c.message for c in report.cases] == [""]
    assert report.document()["passed"] == 1


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("decision: DENY", "decided ALLOW, expected DENY"),
        ("decision: ALLOW, reasons: [FROZEN]", "FROZEN is not among the reasons"),
        ("decision: ALLOW, remaining: {day: '99.99'}", "100.00 remains of day, expected 99.99"),
        ("decision: ALLOW, remaining: {week: '1'}", "nothing remains of week, expected 1"),
    ],
)
def test_a_case_that_is_wrong_fails_and_says_how(tmp_path: Path, expect: str, message: str):
    report = run(tmp_path, case('amount: "50.00"', expect))
    assert (report.cases[0].ok, report.cases[0].message) == (False, message)
    assert report.failed == 1


def test_the_report_has_the_shape_that_is_promised(tmp_path: Path):
    document = run(tmp_path, case('amount: "50.00"', "decision: ALLOW")).document()
    assert document == {
        "cases": [
            {
                "file": "p.test.yaml",
                "name": "c",
                "ok": True,
                "decision": "ALLOW",
                "reasons": ["OK"],
                "remaining": {"day": "100.00", "number": "2"},
                "message": "",
            }
        ],
        "passed": 1,
        "failed": 0,
    }
    assert json.loads(json.dumps(document)) == document


def test_a_policy_that_must_not_load_is_an_outcome(tmp_path: Path):
    bad = POLICY.replace("cooldown", "cooldwn").replace('"100.00"', '"0"')
    report = run(tmp_path, case('amount: "1"', "decision: DENY, reasons: [POLICY_INVALID]"), policy=bad)
    assert report.failed == 0
    told = run(tmp_path, case('amount: "1"', "decision: ALLOW"), policy=bad)
    assert "p.yaml:9:27: a limit of zero" in told.cases[0].message


def test_a_policy_that_is_not_there_is_an_error_and_not_an_outcome(tmp_path: Path):
    with pytest.raises(OwnerError, match="does not exist"):
        run(tmp_path, case('amount: "1"', "decision: DENY"), sheet=SHEET.replace("p.yaml", "gone.yaml"))


@pytest.mark.parametrize(
    ("sheet", "problem"),
    [
        (SHEET.replace("payees", "payee"), "p.test.yaml:3:1: there is no field `payee`: did you mean `payees`?"),
        (SHEET.replace(ALICE, "0x12"), "is not an address"),
        (SHEET.replace("chain: base", "chain: bse"), "`bse` is not known here"),
        (SHEET.replace("alice:", "Alice:"), "`Alice` is not a payee name"),
        (SHEET + "  - {name: c}\n", "the field `now` is missing"),
        (SHEET + "  - {name: c, name: d}\n", "`name` is given twice"),
        ("[", "this is not YAML"),
    ],
)
def test_a_test_file_that_is_wrong_is_refused_with_its_line(tmp_path: Path, sheet: str, problem: str):
    with pytest.raises(OwnerError) as refused:
        run(tmp_path, case('amount: "1"', "decision: ALLOW"), sheet=sheet)
    assert problem in refused.value.details["problems"]


def test_a_history_that_names_nobody_fails_its_case(tmp_path: Path):
    written = case('amount: "1"', "decision: DENY", past("held").replace("to: alice", "to: carol"))
    assert "the case itself is wrong" in run(tmp_path, written).cases[0].message


@pytest.mark.parametrize(
    "policy", sorted(p.name for p in POLICIES.iterdir() if p.suffix in {".yaml", ".json"} and ".test." not in p.name)
)
def test_every_policy_that_ships_has_tests_beside_it_that_pass(policy: str):
    sheets = [s for s in POLICIES.glob("*.test.yaml") if f"policy: {policy}\n" in s.read_text()]
    assert sheets
    report = run_policy_tests(sheets)
    assert [c.message for c in report.cases if not c.ok] == []
    assert report.cases


def test_a_list_file_stays_in_the_policys_folder(tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "in" / "p.yaml").write_text("version: 1\nid: p\nlists: {l: {file: ../secret.txt}}\nrules: []\n")
    with pytest.raises(OwnerError, match="outside the policy's folder"):
        load_policy_file(tmp_path / "in" / "p.yaml", registry=SHIPPED, book=AddressBook())


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes | None):
    path = tmp_path / "p.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(OwnerError, match=r"`p\.yaml`"):
        load_policy_file(path, registry=SHIPPED, book=AddressBook())


APPROVED = POLICY.replace(
    "limits:", "  - {id: large, effect: requireApproval, match: {amount: {gt: '50'}}, approval: {quorum: 2}}\nlimits:"
)


def vote(by: str, said: str = "approve", at: str = "11:30") -> str:
    return f"{{by: {by}, vote: {said}, at: '2026-03-10T{at}:00Z'}}"


@pytest.mark.parametrize(
    ("votes", "decision", "reason"),
    [
        ([], "REQUIRE_APPROVAL", "APPROVAL_REQUIRED"),
        ([vote("nora")], "REQUIRE_APPROVAL", "APPROVAL_REQUIRED"),
        ([vote("nora"), vote("omar")], "REQUIRE_APPROVAL", "APPROVAL_REQUIRED"),
        ([vote("nora"), vote("pia")], "ALLOW", "OK"),
        ([vote("nora", at="11:00"), vote("pia")], "REQUIRE_APPROVAL", "APPROVAL_REQUIRED"),
        ([vote("pia", "reject", at="01:00")], "DENY", "APPROVAL_REJECTED"),
    ],
)
def test_a_case_may_bring_votes(tmp_path, votes, decision, reason):
    more = f"requestedBy: omar, approvals: [{', '.join(votes)}]"
    written = case('amount: "60"', f"decision: {decision}, reasons: [{reason}]", more)
    report = run(tmp_path, written, policy=APPROVED)
    assert [c.message for c in report.cases] == [""]
