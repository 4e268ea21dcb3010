"""The same answer for ever, for everyone: `tests/vectors/decisions.json`, each case from the policy's source."""

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet.core.compile import compile_policy
from mcp_wallet.core.decision import Anomaly, Counters, Decision, Facts, WindowUse
from mcp_wallet.core.identifiers import Address, AssetId, ChainId
from mcp_wallet.core.intent import PaymentIntent
from mcp_wallet.core.matching import Payment
from mcp_wallet.core.payees import AddressBook, Payee
from mcp_wallet.core.policy import load_policy
from mcp_wallet.core.policy_gate import decide
from mcp_wallet.core.reasons import ReasonCode
from mcp_wallet.core.registry import SHIPPED
from mcp_wallet.core.resolve import resolve_policy
from mcp_wallet.core.settings import ChainSettings, Settings

FILE = json.loads((Path(__file__).parents[2] / "vectors" / "decisions.json").read_text("utf-8"))
VECTORS = {vector["id"]: vector for vector in FILE["vectors"]}
GATE_1 = frozenset(
    ReasonCode[name]
    for name in (
        "OK",
        "FROZEN",
        "NO_MATCHING_RULE",
        "RULE_DENIED",
        "ASSET_NOT_ALLOWED",
        "CHAIN_NOT_ALLOWED",
        "RECIPIENT_NOT_ALLOWED",
        "RECIPIENT_DENIED",
        "RECIPIENT_LOOKALIKE",
        "OPERATION_NOT_ALLOWED",
        "CATEGORY_NOT_ALLOWED",
        "OUTSIDE_HOURS",
        "NOT_YET_ACTIVE",
        "EXPIRED",
        "PER_TX_LIMIT_EXCEEDED",
        "BELOW_MINIMUM",
        "WINDOW_LIMIT_EXCEEDED",
        "COUNT_LIMIT_EXCEEDED",
        "DISTINCT_LIMIT_EXCEEDED",
        "COOLDOWN",
        "NEW_RECIPIENT_HOLD",
        "APPROVAL_REQUIRED",
        "ANOMALY_AMOUNT",
        "ANOMALY_NEW_RECIPIENT",
        "ANOMALY_VELOCITY",
        "ANOMALY_PROBING",
        "TOO_MANY_PENDING",
        "DUPLICATE_REFERENCE",
        "DUPLICATE_SUSPECTED",
        "IDEMPOTENCY_MISMATCH",
        "ENGINE_ERROR",
        "CLOCK_UNTRUSTED",
        "ROLLBACK_DETECTED",
        "INSUFFICIENT_FUNDS",
        "SIMULATION_REVERTED",
        "FEE_CAP_EXCEEDED",
    )
)
"""The codes that Gate 1 can give."""


def decision_of(vector) -> Decision:
    """Return what the gate says: the file's defaults with what this vector changes."""
    given = {part: {**FILE["defaults"][part], **vector["input"].get(part, {})} for part in FILE["defaults"]}
    book = AddressBook(
        payees=tuple(Payee(name=n, address=Address(a), added_at_ms=0) for n, a in given["payees"].items())
    )
    chain = ChainId("eip155:8453")
    caps = ChainSettings(chain_id=chain, nodes=(), max_fee_wei=10**15, max_fee_per_day_wei=2 * 10**15)
    settings = Settings(
        document={"vectors": "1"}, version="1", org_id="org", environment="test", book=book, chains={chain: caps}
    )
    policy = load_policy(json.dumps(given["policy"]), name="v.json", registry=SHIPPED, book=book)
    document = resolve_policy(policy, registry=SHIPPED, book=book, read_list=lambda _: "")
    compiled = compile_policy(document, version="3", settings=settings)
    intent, now_ms = PaymentIntent(**given["intent"]), int(given["time"]["nowMs"])
    return decide(compiled, intent, counters_of(given, compiled, intent), Facts(**given["facts"]), now_ms)


def counters_of(given, compiled, intent: PaymentIntent) -> Counters:
    payment = Payment(
        agent=intent.agent_id,
        operation=intent.operation,
        chain=ChainId(intent.chain),
        asset=AssetId(intent.asset),
        to=Address(intent.to),
        category=intent.category,
        amount_units=int(intent.amount) if intent.amount.isdigit() else 0,
        at_ms=0,
    )
    empty = {"group": "", "spent_units": 0, "held_units": 0, "count": 0}
    uses = tuple(
        WindowUse(limit_id=limit.limit_id, **{**empty, **given["uses"].get(limit.limit_id, {})})
        for limit in compiled.limits_for(payment)
    )
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given["counters"].items()}
    fields["anomalies"] = tuple(Anomaly(ReasonCode(code), *numbers) for code, *numbers in fields.get("anomalies", ()))
    return Counters(uses=uses, **fields)


def document_of(decision: Decision) -> dict[str, object]:
    return {
        "decision": str(decision.outcome),
        "reasons": [reason.document() for reason in decision.reasons],
        "limits": {k: str(v) for k, v in decision.limits.items()},
        "remaining": {k: str(v) for k, v in decision.remaining.items()},
        "policyHash": decision.policy_hash,
    }


@pytest.mark.parametrize("vector_id", VECTORS)
def test_a_recorded_decision_is_decided_the_same_again(vector_id: str):
    vector = VECTORS[vector_id]
    assert document_of(decision_of(vector)) == vector["expected"], vector["why"]


def test_each_code_that_the_gate_can_give_has_a_vector():
    given = {reason["code"] for vector in VECTORS.values() for reason in vector["expected"]["reasons"]}
    assert given == GATE_1
