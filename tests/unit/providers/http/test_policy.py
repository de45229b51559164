from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.providers.http.policy import Policy, Timeouts
from bg_ingest.providers.http.rate_limiter import RateRules


def test_the_defaults_and_what_they_add_up_to() -> None:
    """Numbers that are quoted elsewhere."""
    assert Timeouts().attempt_s_max == 42.0
    assert Policy().time_s_max == 50.0


@given(st.floats(0.1, 1000.0))
def test_an_attempt_fits_the_time_there_is(time_s: float) -> None:
    """All its steps together end in time, and none gets longer than it was."""
    shortened = Timeouts().within(time_s)

    assert shortened.attempt_s_max <= min(time_s, Timeouts().attempt_s_max) * (1 + 1e-9)
    assert all(getattr(shortened, step.name) <= getattr(Timeouts(), step.name) for step in fields(Timeouts))


def test_numbers_that_belong_together() -> None:
    """A first attempt always fits, after waiting for a turn; so does a second one after the longest wait."""
    policy = Policy()

    assert RateRules().wait_s_max + policy.timeouts.attempt_s_max < policy.time_s_max
    assert policy.backoff.asked_s_max + 2 * policy.attempt_s_min < policy.time_s_max
    assert RateRules().pause_s < RateRules().wait_s_max


def test_httpx_is_told_in_its_own_words() -> None:
    """A step it does not know would have no limit."""
    assert Timeouts().as_extension() == pytest.approx(
        {"pool": 3.0, "connect": 3.0, "write": 3.0, "read": 15.0}
    )
