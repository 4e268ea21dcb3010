"""When is a sent payment proven not to have paid? Only that gives its budget and its reference back.

What paid may be believed of one node: believing it wrongly pays nobody twice. What did not pay must be final, and said
alike by two nodes, or by one that the settings trust. "Not found" alone proves nothing: the bytes may wait somewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mcp_wallet.core.settlement_gate import Receipt

WITNESSES_MIN: Final = 2


class Proof(StrEnum):
    """What became of an account nonce, once and for all."""

    NOTHING = "nothing"
    REVERTED = "reverted"
    NONCE_TAKEN = "nonce_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """What one node says as of its newest final block.

    Args:
        final_nonce: Transactions of the account in final blocks: every lower nonce is used.
        receipt: Of the one of our transactions with this nonce that is in a final block; None when none is.
    """

    final_nonce: int
    receipt: Receipt | None


def judge(testimonies: Sequence[Testimony], *, nonce: int, trust_single_node: bool) -> tuple[Proof, Receipt | None]:
    """Return what is proven of a nonce, with the receipt of a revert.

    (1) Two nodes have spoken, or one whose word the settings trust.
    (2) Nobody who spoke says otherwise.

    Args:
        testimonies: One of each node that answered.
        nonce: The payment's.
        trust_single_node: Whether one node is enough.
    """
    if len(testimonies) < (1 if trust_single_node else WITNESSES_MIN):  # (1)
        return Proof.NOTHING, None
    said = {_said(testimony, nonce) for testimony in testimonies}
    if len(said) > 1:  # (2)
        return Proof.NOTHING, None
    (proof,) = said
    return proof, testimonies[0].receipt if proof is Proof.REVERTED else None


def _said(testimony: Testimony, nonce: int) -> Proof:
    if testimony.receipt is not None:
        return Proof.REVERTED if testimony.receipt.status == 0 else Proof.NOTHING
    return Proof.NONCE_TAKEN if testimony.final_nonce > nonce else Proof.NOTHING
