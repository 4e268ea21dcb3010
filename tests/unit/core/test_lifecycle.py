"""The one table of a payment's life."""

from itertools import product

import pytest

from mcp_wallet.core.errors import InvariantBroken
from mcp_wallet.core.lifecycle import GUARDED, HELD, IN_FLIGHT, TOOL_STATUS, TRANSITIONS, State, Step, step

FINAL = {State.DENIED, State.FAILED, State.RELEASED, State.EXPIRED, State.REJECTED}


@pytest.mark.parametrize(("state", "what"), list(product(State, Step)))
def test_a_step_that_the_table_does_not_name_is_refused(state, what):
    if (state, what) in TRANSITIONS:
        assert step(state, what) is TRANSITIONS[state, what]
    else:
        with pytest.raises(InvariantBroken):
            step(state, what)


def test_nothing_leaves_a_final_state():
    assert not [state for state, _ in TRANSITIONS if state in FINAL]


def test_what_a_signer_may_have_seen_never_expires_and_is_never_released():
    given_back = {state for (state, what) in TRANSITIONS if what in (Step.EXPIRE, Step.RELEASE, Step.REJECT)}
    assert not given_back & (IN_FLIGHT | {State.CONFIRMED})


def test_held_guarded_and_final_states_cover_all():
    assert set(State) == GUARDED | FINAL
    assert HELD < GUARDED
    assert set(TOOL_STATUS) == set(State)


def test_only_failed_may_be_sent_again():
    assert {s for s in State if TOOL_STATUS[s] == "failed"} == FINAL - {State.DENIED}
