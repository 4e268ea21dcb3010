"""What the Python door raises, and what it hands out instead."""

import pytest

import mcp_wallet
from mcp_wallet import PolicyError, PolicyWallet, ReasonCode
from mcp_wallet.contract.results import BudgetResult, PaymentList, PaymentResult
from mcp_wallet.core.errors import CallerError, OutsideError, OwnerError, WalletError
from mcp_wallet.doors.python.answers import budget_of, history_of
from mcp_wallet.doors.python.errors import accidents_told, paid_or_under_way
from mcp_wallet.wiring.adapter import make_adapter


def receipt(status: str, *codes: str) -> PaymentResult:
    return PaymentResult(
        status=status,
        payment_id="pay_1",
        decision="DENY",
        reason_codes=list(codes),
        message="50.00 USDC on base to bob: denied.",
        amount="50.00",
        asset="usdc",
        chain="base",
        to="0x" + "b0" * 20,
        fingerprint="sha256:00",
        transaction_hash="",
        explorer_url="",
        final=True,
        remaining="",
        replayed=False,
        checkpoint="",
    )


@pytest.mark.parametrize("status", ["confirmed", "submitted", "unknown", "pending_approval"])
def test_what_is_or_may_be_paid_is_returned(status: str):
    assert paid_or_under_way(receipt(status, "OK")).status == status


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        (("NO_MATCHING_RULE", "RECIPIENT_NOT_ALLOWED"), ReasonCode.RECIPIENT_NOT_ALLOWED),
        (("NO_MATCHING_RULE",), ReasonCode.NO_MATCHING_RULE),
        (("FROZEN", "NO_MATCHING_RULE"), ReasonCode.FROZEN),
    ],
)
def test_what_paid_nobody_is_raised_with_the_code_that_says_most(codes: tuple[str, ...], code: ReasonCode):
    with pytest.raises(PolicyError) as raised:
        paid_or_under_way(receipt("denied", *codes))
    error = raised.value
    assert (error.code, error.message, str(error), error.retryable) == (code, receipt("").message, error.message, False)
    assert error.details == {
        "status": "denied",
        "payment_id": "pay_1",
        "decision": "DENY",
        "amount": "50.00",
        "asset": "usdc",
        "chain": "base",
        "to": "0x" + "b0" * 20,
        "fingerprint": "sha256:00",
        "reason_codes": " ".join(codes),
    }


def test_a_failed_payment_is_raised():
    with pytest.raises(PolicyError) as raised:
        paid_or_under_way(receipt("failed", "TRANSACTION_REVERTED"))
    assert raised.value.code == "TRANSACTION_REVERTED"


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (CallerError(ReasonCode.AMOUNT_INVALID, "No.", {"a": "b"}), False),
        (OwnerError(ReasonCode.POLICY_MISSING, "No.", {"a": "b"}), False),
        (OutsideError(ReasonCode.NODE_UNAVAILABLE, "No.", {"a": "b"}), True),
        (OutsideError(ReasonCode.SIGNER_UNAVAILABLE, "No.", {"a": "b"}, retryable=False), False),
    ],
)
def test_every_accident_has_the_one_type_and_says_whether_a_retry_makes_sense(error: WalletError, retryable: bool):
    with pytest.raises(PolicyError) as raised, accidents_told():
        raise error
    found = raised.value
    assert (found.code, found.message, found.details, found.retryable) == (error.code, "No.", {"a": "b"}, retryable)
    assert found.__cause__ is error


def test_a_bug_is_not_dressed_up():
    with pytest.raises(ZeroDivisionError), accidents_told():
        _ = 1 // 0


@pytest.mark.parametrize("metadata", [{"orgID": "x"}, {"agentId": 7}, {"role": "admin"}])
async def test_metadata_of_another_name_is_refused(metadata: dict[str, str]):
    adapter = object()
    with pytest.raises(PolicyError, match="`metadata` takes orgId, agentId, environment") as raised:
        PolicyWallet(adapter, metadata=metadata)  # type: ignore[arg-type]  # it is never looked at
    assert raised.value.code == ReasonCode.INTENT_INVALID


@pytest.mark.parametrize(
    ("key", "url", "code"),
    [
        ("0x12", "http://127.0.0.1:1", "SIGNER_UNAVAILABLE"),
        ("0x" + "00" * 32, "http://127.0.0.1:1", "SIGNER_UNAVAILABLE"),
        ("0x" + "11" * 32, "127.0.0.1:8545", "INTENT_INVALID"),
        ("0x" + "11" * 32, "file:///etc/passwd", "INTENT_INVALID"),
        ("0x" + "11" * 32, "http://127.0.0.1:1", "NODE_UNAVAILABLE"),
    ],
)
async def test_an_adapter_needs_a_key_and_a_node_that_answers(key: str, url: str, code: str):
    with pytest.raises(PolicyError) as raised:
        await mcp_wallet.create_web3_adapter(key, url)
    assert raised.value.code == code
    assert key not in str(raised.value)
    with pytest.raises(WalletError):
        await make_adapter(key, url)


def test_parallel_lists_become_entries():
    budget = BudgetResult(
        message="m",
        assets=["usdc", "eth"],
        chains=["base", "base"],
        windows=["24h rolling", "all time"],
        limits=["5.00", ""],
        spent=["1.00", ""],
        held=["0.00", ""],
        remaining=["4.00", ""],
        frozen=True,
    )
    found = budget_of(budget)
    assert (found.message, found.frozen) == ("m", True)
    assert found.entries[0] == ("usdc", "base", "24h rolling", "5.00", "1.00", "0.00", "4.00")
    assert (found.entries[1].asset, found.entries[1].window) == ("eth", "all time")
    payments = PaymentList(
        message="1 payments",
        payment_ids=["pay_1"],
        statuses=["confirmed"],
        amounts=["50.00"],
        assets=["usdc"],
        chains=["base"],
        recipients=["alice"],
        references=["r1"],
        times=["2026-03-10T12:00:00Z"],
    )
    (entry,) = history_of(payments)
    assert entry == ("pay_1", "confirmed", "50.00", "usdc", "base", "alice", "r1", "2026-03-10T12:00:00Z")
    assert (entry.recipient, entry.time) == ("alice", "2026-03-10T12:00:00Z")
