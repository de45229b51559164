"""Looks and changes in words."""

from __future__ import annotations

import pytest

from bg_ingest.facades.page.forms import Forms
from bg_ingest.facades.page.sharing_view import audit_view, grants_view
from tests.unit.facades.page.test_flow_sentence import WORDING


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("GET /api/bg/{userId}/statistics", "You looked at statistics"),
        ("GET /api/bg/{userId}", "You looked at readings"),
        ("GET /api/bg/{userId}/sync/jobs/{jobId}", "You looked at jobs"),
        ("POST /api/bg/{userId}/sync", "You asked for a look"),
        ("PUT /api/bg/{userId}/settings", "You changed settings"),
        ("DELETE /api/bg/{userId}/grants/{grantId}", "You ended the access of others"),
        ("GET /oauth/callback", "You came back from a login"),
        ("page: disconnect", "You ended a connection"),
        ("GET /see/{token}", "You looked at this page"),
        ("page: fly", "You did on this page: fly"),
    ],
)
def test_an_action_is_shown_in_words(action: str, said: str) -> None:
    """No route and no placeholder is shown to a person."""
    entry = {"at": "2026-11-28T15:30:00Z", "actor": "ada", "action": action, "outcome": "refused"}

    assert str(audit_view([entry], frozenset({"ada"}), WORDING)) == (
        f'<ul class="lines"><li>15:30: {said}, refused</li></ul>'
    )


def test_a_reader_is_named_by_the_label() -> None:
    """The id of the grant is in the entry for programs, and not on the page."""
    reader = "my doctor (grant 01a225ef230842c21b4f94699356)"
    entry = {"at": "2026-11-28T15:30:00Z", "actor": reader, "action": "GET /see/{token}", "outcome": "done"}

    assert "15:30: my doctor looked at this page<" in str(audit_view([entry], frozenset({"ada"}), WORDING))


def test_a_login_without_a_session_is_of_a_browser() -> None:
    """The actor of such an entry is a name of our own, which says nothing to a person."""
    entry = {
        "at": "2026-11-28T15:30:00Z",
        "actor": "holder-of-the-login",
        "action": "GET /oauth/callback",
        "outcome": "done",
    }

    assert "15:30: A browser came back from a login" in str(audit_view([entry], frozenset({"ada"}), WORDING))


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ({"last": 14}, "of the last 14 days"),
        ({"from": "2026-11-01", "to": "2026-11-07"}, "of 2026-11-01 to 2026-11-07"),
        ("all", "of all days"),
    ],
)
def test_a_grant_names_its_parts_and_days(days: object, said: str) -> None:
    """A person reads what another one may see, in words."""
    grant = {
        "grant_id": "0",
        "label": "my doctor",
        "reads": ["readings", "completeness"],
        "days": days,
        "uses": 0,
        "last_used_at": None,
        "expires_at": None,
    }

    shown = str(grants_view([grant], Forms("token"), WORDING))

    assert f"may see readings and what is missing {said}; has not looked; does not end." in shown
