"""Choice of the media type by the Accept header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bg_ingest.http_api.answers.range_response import preferred

JSON, CSV, NDJSON = OFFERED = ("application/json", "text/csv", "application/x-ndjson")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("application/json, text/plain, */*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; Charset=utf-8", CSV),
        ("text/*", CSV),
        ("text/csv, */*", CSV),
        ("application/x-ndjson, application/json", NDJSON),
        ("application/json, text/csv", JSON),
        ("application/json;q=0.5, text/csv", CSV),
        ("text/csv;q=0.1, application/json", JSON),
        ("text/csv;q=0.1, */*;q=0.2", JSON),
        ("*/*, application/json;q=0, text/csv;q=0.5", NDJSON),
        ("text/csv;q=0", JSON),
        ("text/html", JSON),
        ("application/*;q=0", JSON),
        ("text/csv;q=2", CSV),
    ],
)
def test_accept_header_chooses_the_media_type(accept: str | None, wanted: str) -> None:
    """By weight, then named in full before matched by `*`, then as listed; JSON if nothing matches."""
    assert preferred(accept, OFFERED) == wanted


@given(st.text())
def test_any_accept_header_gets_an_offered_media_type(accept: str) -> None:
    """No header makes the function fail."""
    assert preferred(accept, OFFERED) in OFFERED


@given(st.permutations(OFFERED), st.lists(st.integers(0, 1000), min_size=3, max_size=3, unique=True))
def test_the_highest_weight_wins(forms: list[str], weights: list[int]) -> None:
    """The order in the header matters between equal weights only."""
    accept = ",".join(f"{form};q={weight / 1000:.3f}" for form, weight in zip(forms, weights, strict=True))

    assert preferred(accept, OFFERED) == max(zip(weights, forms, strict=True))[1]
