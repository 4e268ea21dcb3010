"""The three guards: what each combination of hits must mean."""

import pytest

from mcp_wallet.core.guards import Hit, judge
from mcp_wallet.core.reasons import ReasonCode

SAME, OTHER = ("transfer", "usdc", "alice", "5"), ("transfer", "usdc", "alice", "6")


def hit(payment_id, *, agent="me", content=SAME):
    return Hit(payment_id=payment_id, agent_id=agent, content=content)


def verdict(*, key=False, reference=None, by_key=None, content=None):
    return judge(agent_id="me", content=SAME, has_key=key, by_reference=reference, by_key=by_key, by_content=content)


@pytest.mark.parametrize(
    ("given", "replay", "refuse"),
    [
        ({}, "", None),
        ({"reference": hit("p1")}, "p1", None),
        ({"reference": hit("p1"), "key": True}, "p1", None),
        ({"reference": hit("p1", content=OTHER)}, "", ReasonCode.DUPLICATE_REFERENCE),
        ({"reference": hit("p1", agent="another")}, "", ReasonCode.DUPLICATE_REFERENCE),
        ({"by_key": hit("p1"), "key": True}, "p1", None),
        ({"by_key": hit("p1", content=OTHER), "key": True}, "", ReasonCode.IDEMPOTENCY_MISMATCH),
        (
            {"reference": hit("p1"), "by_key": hit("p2", content=OTHER), "key": True},
            "",
            ReasonCode.IDEMPOTENCY_MISMATCH,
        ),
        ({"content": hit("p1")}, "p1", None),
        ({"content": hit("p1"), "key": True}, "", ReasonCode.DUPLICATE_SUSPECTED),
        ({"content": hit("p1"), "by_key": hit("p1"), "key": True}, "p1", None),
    ],
)
def test_equal_content_replays_and_other_content_refuses(given, replay, refuse):
    found = verdict(**given)
    assert (found.replay, found.refuse) == (replay, refuse)
