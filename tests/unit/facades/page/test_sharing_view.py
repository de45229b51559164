"""Looks and changes in words."""

from __future__ import annotations

import pytest

from bg_ingest.facades.page.sharing_view import audit_view
from tests.unit.facades.page.test_flow_sentence import WORDING


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("GET /api/bg/{userId}/statistics", "You looked at statistics"),
        ("GET /api/bg/{userId}", "You looked at readings"),
        ("GET /api/bg/{userId}/sync/jobs/{jobId}", "You looked at jobs"),
        ("POST /api/bg/{userId}/sync", "You asked for sync"),
        ("PUT /api/bg/{userId}/settings", "You changed settings"),
        ("DELETE /api/bg/{userId}/grants/{grantId}", "You removed grants"),
        ("GET /oauth/callback", "You came back from a login"),
        ("page: disconnect", "You did on this page: disconnect"),
    ],
)
def test_an_action_is_shown_in_words(action: str, said: str) -> None:
    """No route and no placeholder is shown to a person."""
    entry = {"at": "2026-11-28T15:30:00Z", "actor": "ada", "action": action, "outcome": "refused"}

    assert str(audit_view([entry], frozenset({"ada"}), WORDING)) == (
        f'<ul class="lines"><li>15:30: {said}, refused</li></ul>'
    )
