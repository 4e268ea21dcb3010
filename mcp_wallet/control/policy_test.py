"""`policy test`: what a policy decides on the cases beside it, through the gate that real payments meet."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from mcp_wallet.control.policy_files import load_policy_file, read_text
from mcp_wallet.control.policy_test_file import Case, TestFile, load_test_file
from mcp_wallet.control.policy_test_past import Past
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.compile import CompiledPolicy, compile_policy
from mcp_wallet.core.decision import Outcome
from mcp_wallet.core.errors import CallerError, OwnerError
from mcp_wallet.core.identifiers import Address
from mcp_wallet.core.intent import Agent, PaymentDraft, PaymentRequest, parse_request
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED, Registry
from mcp_wallet.core.settings import Settings

WALLET: Final = Address("0x5e1f00d15ea5e00d5e1f00d15ea5e00d5e1f00d1")
"""The paying account of every case; no payee should have it."""
ORGANISATION: Final = "org_test"
_PAYMENT_FIELDS: Final = frozenset(
    {"agent", "operation", "category", "to", "amount", "asset", "chain", "reference", "memo", "idempotency_key"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What one case came to; `remaining` in human units, `message` empty when it is as expected."""

    file: str
    name: str
    ok: bool
    decision: str
    reasons: tuple[str, ...]
    remaining: Mapping[str, str]
    message: str

    def document(self) -> dict[str, Json]:
        """Return the case as `policy test --json` prints it."""
        return {
            "file": self.file,
            "name": self.name,
            "ok": self.ok,
            "decision": self.decision,
            "reasons": list(self.reasons),
            "remaining": dict(self.remaining),
            "message": self.message,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """All cases of all files."""

    __test__ = False

    cases: tuple[CaseResult, ...]

    @property
    def failed(self) -> int:
        """How many cases came out otherwise than expected."""
        return sum(not case.ok for case in self.cases)

    def document(self) -> dict[str, Json]:
        """Return `{"cases", "passed", "failed"}`."""
        cases: list[Json] = [case.document() for case in self.cases]
        return {"cases": cases, "passed": len(self.cases) - self.failed, "failed": self.failed}


def run_policy_tests(files: Iterable[Path], *, registry: Registry = SHIPPED) -> TestReport:
    """Return how every case of the `*.test.yaml` files came out.

    Raises:
        OwnerError: `POLICY_INVALID` when a test file cannot be read or is not one. A *policy* that does not load is
            an outcome: each of its cases is denied with `POLICY_INVALID`.
    """
    return TestReport(
        cases=tuple(case for file in files for case in _run_file(load_test_file(file, registry=registry)))
    )


def _run_file(file: TestFile) -> Iterable[CaseResult]:
    read_text(file.policy_path)  # a policy that is not there is a mistake of the test's, not an outcome
    try:
        loaded = load_policy_file(file.policy_path, registry=file.registry, book=file.book)
    except OwnerError as error:
        problems = error.details.get("problems", error.message)
        return [_judge(file, case, Outcome.DENY, (error.code,), {}, problems) for case in file.cases]
    settings = Settings(
        document={}, version="0", org_id=ORGANISATION, environment="test", registry=file.registry, book=file.book
    )
    policy = compile_policy(loaded.document, version="0", settings=settings)
    return [_run_case(file, policy, case) for case in file.cases]


def _run_case(file: TestFile, policy: CompiledPolicy, case: Case) -> CaseResult:
    try:
        past = Past(file=file, policy=policy, case=case)
    except CallerError as error:
        return _judge(file, case, "", (), {}, f"the case itself is wrong: {error.message}")
    try:
        draft = _draft(file, policy, case)
        decision = past.decide(draft)
    except CallerError as error:
        return _judge(file, case, Outcome.DENY, (error.code,), past.remaining(None), error.message)
    return _judge(file, case, decision.outcome, decision.codes, past.remaining(decision), "")


def _draft(file: TestFile, policy: CompiledPolicy, case: Case) -> PaymentDraft:
    """Return the payment of a case through the only way in, with the category and operation that it names."""
    fields = dict(case.payment)
    unknown = sorted(fields.keys() - _PAYMENT_FIELDS)
    if unknown:
        raise CallerError(ReasonCode.INTENT_INVALID, f"A payment has no field `{unknown[0]}`.")
    agent = Agent(
        org_id=ORGANISATION,
        agent_id=_text(fields, "agent"),
        environment="test",
        sender=WALLET,
        chains=policy.chains,
        policy_hash=policy.hash,
    )
    request = PaymentRequest(
        to=fields.get("to"),
        amount=fields.get("amount"),
        asset=fields.get("asset", "usdc"),
        chain=fields.get("chain", ""),
        reference=fields.get("reference", ""),
        memo=fields.get("memo", ""),
        idempotency_key=fields.get("idempotency_key", ""),
    )
    draft = parse_request(request, agent=agent, registry=file.registry, book=file.book)
    return draft._replace(
        operation=_text(fields, "operation") or draft.operation,
        category=_text(fields, "category") or draft.category,
    )


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise CallerError(ReasonCode.INTENT_INVALID, f"`{name}` must be text.")
    return value


def _judge(  # noqa: PLR0917  private: a case, and what came out of it
    file: TestFile,
    case: Case,
    decision: str,
    codes: Iterable[ReasonCode],
    remaining: Mapping[str, str],
    said: str,
) -> CaseResult:
    reasons = tuple(str(code) for code in codes)
    expect = case.expect
    wrong = []
    if decision != expect.decision:
        wrong.append(f"decided {decision or 'nothing'}, expected {expect.decision}")
    if missing := [code for code in expect.reasons if code not in reasons]:
        wrong.append(f"{', '.join(missing)} is not among the reasons")
    for limit_id, amount in expect.remaining.items():
        left = remaining.get(limit_id)
        if left is None or not _is_equal(left, amount):
            wrong.append(f"{left or 'nothing'} remains of {limit_id}, expected {amount}")
    message = "; ".join([*wrong, said] if said else wrong) if wrong else ""
    return CaseResult(
        file=file.path.name,
        name=case.name,
        ok=not wrong,
        decision=str(decision),
        reasons=reasons,
        remaining=remaining,
        message=message,
    )


def _is_equal(left: str, expected: str) -> bool:
    try:
        return Fraction(left) == Fraction(expected)
    except (ValueError, ZeroDivisionError):
        return False
