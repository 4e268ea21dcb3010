"""Can one payment be proved to somebody who holds nothing but the verifier key, with code that is not ours?"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_wallet.control.audit.prove import head_of, prove_payment
from mcp_wallet.core.canonical import Json
from mcp_wallet.core.errors import CallerError
from mcp_wallet.ports import Denied
from tests.approved import KEY
from tests.people import people
from tests.trails import FACTS, VKEY, Lived, decide, lived, notary, receipt, sign
from tests.worlds import SteppedClock, ledger_world

VERIFIER = Path(__file__).parents[3] / "examples" / "verify_trail.py"


@pytest.fixture
async def past(tmp_path: Path) -> Lived:
    return await lived(tmp_path)


def proof_of(past: Lived, payment_id: str) -> dict[str, Json]:
    trail = past.trail()
    head = head_of(trail)
    try:
        return prove_payment(trail, payment_id, head=head, note=notary().note(head))
    finally:
        trail.close()


def export_of(past: Lived) -> str:
    trail = past.trail()
    lines = [body.decode() for _, _, body in trail.rows()]
    return "\n".join([*lines, json.dumps({"checkpoint": notary().note(head_of(trail))})]) + "\n"


def run(path: Path, text: str, *options: str) -> tuple[int, str]:
    """Run the example as a stranger would: another process, nothing of ours on its path."""
    path.write_text(text)
    command = [sys.executable, "-I", str(VERIFIER), str(path), *options]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    assert answer.stderr == ""
    return answer.returncode, answer.stdout


def text_of(proof: dict[str, Json]) -> str:
    return json.dumps(proof, indent=2)


async def test_what_people_approved_is_proved_with_their_names(tmp_path: Path):
    world = await ledger_world(tmp_path / "ledger.db", clock=SteppedClock(), sender=KEY.address)
    (owner,) = await people(world.ledger, "owner")
    asked = await decide(world, "refund #9", amount="600.00")
    assert isinstance(asked, Denied)
    await world.ledger.vote(asked.record.payment_id, approves=True, reason="known", actor=owner)
    await world.ledger.decide_approved(asked.record.payment_id, FACTS)
    signed = await sign(world, asked.record.payment_id)
    await world.ledger.mark_broadcast(asked.record.payment_id)
    await world.ledger.confirm(asked.record.payment_id, receipt(signed))
    await world.ledger.close()
    past = Lived(world, tmp_path / "checkpoints", asked.record.payment_id)
    code, said = run(tmp_path / "proof.json", text_of(proof_of(past, past.paid)), "--vkey", VKEY)
    assert code == 0, said
    assert '4 decision   ALLOW: OK refund-usdc, approved by "owner"' in said
    assert "are exactly the approved intent" in said


async def test_a_paid_payment_is_proved_with_its_five_answers(past: Lived, tmp_path: Path):
    code, said = run(tmp_path / "proof.json", text_of(proof_of(past, past.paid)), "--vkey", VKEY)
    assert code == 0, said
    assert "1 requested  50.00 USDC on local to 0x" in said
    assert '2 policy     "refunds" version 1, sha256:' in said
    assert said.count("its document is in this file and hashes to it") == 2
    assert '"agent-day" rolling:86400000: limit 50000000000, spent 0, held 600000000' in said
    assert "4 decision   ALLOW: OK refund-usdc" in said
    assert "are exactly the approved intent" in said
    assert said.endswith("verified\n")


async def test_a_payment_of_every_fate_is_proved(past: Lived, tmp_path: Path):
    trail = past.trail()
    events = [json.loads(body) for _, _, body in trail.rows()]
    payments = [event["paymentId"] for event in events if event["eventType"] == "policy_decision"]
    for payment_id in payments:
        code, said = run(tmp_path / "proof.json", text_of(proof_of(past, payment_id)), "--vkey", VKEY)
        assert code == 0, said
    assert len(payments) > 12


async def test_a_whole_trail_is_verified_from_its_lines(past: Lived, tmp_path: Path):
    code, said = run(tmp_path / "trail.jsonl", export_of(past), "--vkey", VKEY, "--payment", past.paid)
    assert code == 0, said
    assert "36 events are whole and in order" in said
    assert "its bytes are not in this file" in said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("50.00", "51.00"),
        ('\\"decision\\":\\"ALLOW\\"', '\\"decision\\":\\"DENY\\"'),
        ("\\nindex 1", "\\nindex 2"),
        ("refund-usdc", "refund-usdt"),
        ('"signedTransaction": "02', '"signedTransaction": "03'),
        ("mcp-wallet/org_test/log1\\n36\\n", "mcp-wallet/org_test/log1\\n37\\n"),
    ],
)
async def test_a_changed_proof_is_refused(past: Lived, tmp_path: Path, old: str, new: str):
    text = text_of(proof_of(past, past.paid))
    code, said = run(tmp_path / "proof.json", text.replace(old, new), "--vkey", VKEY)
    assert (code, "WRONG" in said) == (3, True), said


async def test_bytes_that_pay_somebody_else_are_refused(past: Lived, tmp_path: Path):
    proof = proof_of(past, past.paid)
    other = proof_of(past, json.loads(str(export_of(past).splitlines()[31]))["paymentId"])
    code, said = run(
        tmp_path / "proof.json",
        text_of(proof | {"signedTransaction": other["signedTransaction"]}),
        "--vkey",
        VKEY,
    )
    assert code == 3
    assert "not the transaction on the trail" in said


async def test_a_whole_trail_with_one_line_less_is_refused(past: Lived, tmp_path: Path):
    lines = export_of(past).splitlines(keepends=True)
    code, said = run(tmp_path / "trail.jsonl", "".join(lines[:5] + lines[6:]), "--vkey", VKEY)
    assert code == 3
    assert "the checkpoint covers 36 events, the file holds 35" in said


async def test_without_the_key_nothing_is_verified(past: Lived, tmp_path: Path):
    code, said = run(tmp_path / "proof.json", text_of(proof_of(past, past.paid)))
    assert (code, "UNVERIFIED KEY" in said) == (3, True)


async def test_an_unknown_payment_has_no_proof(past: Lived):
    with pytest.raises(CallerError, match="No event names the payment"):
        proof_of(past, "pay_" + "0" * 32)
