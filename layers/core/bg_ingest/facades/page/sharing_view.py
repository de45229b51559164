"""Grants and the audit log of a person."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.facades.page.forms import Act, Forms, check_boxes, choice, text_field
from bg_ingest.facades.page.markup import element, folded, joined
from bg_ingest.facades.page.wording import counted, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from bg_ingest.facades.page.wording import Wording

READS = (
    ("readings", "Readings"),
    ("statistics", "Statistics and profile"),
    ("completeness", "What is missing"),
)
_DAYS = (("14", "the last 14 days"), ("90", "the last 90 days"), ("all", "all days"))
_EXPIRY = (("7", "in a week"), ("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"))
_VERBS = {"GET": "looked at", "PUT": "changed", "DELETE": "removed"}
_LOGIN = "/oauth/callback"


def grants_view(grants: Sequence[Mapping[str, Any]], forms: Forms, wording: Wording) -> Markup:
    """The grants, as the API answers them, and a form for a new one."""
    listed = [_grant(grant, forms, wording) for grant in grants]
    return joined(
        element("ul", listed, class_="lines")
        if listed
        else element("p", "You alone can look.", class_="muted"),
        folded(
            "Let another person or an app look",
            forms.form(
                Act.GRANT,
                "Make a link",
                text_field("label", "For", placeholder="my doctor", required=True, maxlength=40),
                choice("days", "Days", _DAYS),
                choice("expires", "Ends", _EXPIRY, "30"),
                check_boxes("reads", "May see", READS),
                class_="act tall",
            ),
        ),
    )


def new_grant_view(page_url: str, secret: str) -> Markup:
    """The link and the secret of a new grant, which are shown once."""
    return element(
        "section",
        element("h1", "Your link"),
        element(
            "p",
            "Copy it now: it is shown this once. Each person with it can look until it ends.",
        ),
        element("p", element("code", page_url)),
        element("p", "An app takes the secret alone:"),
        element("p", element("code", secret)),
        element("p", element("a", "Done", href="/")),
        class_="card alone",
    )


def audit_view(entries: Sequence[Mapping[str, Any]], own_names: frozenset[str], wording: Wording) -> Markup:
    """The newest entries, as the API answers them."""
    if not entries:
        return element("p", "No access and no change so far.", class_="muted")
    return element(
        "ul", [element("li", _entry(each, own_names, wording)) for each in entries], class_="lines"
    )


def _grant(grant: Mapping[str, Any], forms: Forms, wording: Wording) -> Markup:
    used = grant["last_used_at"]
    looked = (
        f"looked {counted(grant['uses'], 'time')}, last {_clock(used, wording)}" if used else "has not looked"
    )
    ends = f"ends {_clock(grant['expires_at'], wording)}" if grant["expires_at"] else "does not end"
    may_see = ", ".join(grant["reads"])
    return element(
        "li",
        element(
            "span", element("strong", grant["label"]), f" may see {may_see}; {looked}; {ends}.", class_="grow"
        ),
        forms.form(
            Act.REVOKE, "Revoke", element("input", type="hidden", name="grant", value=grant["grant_id"])
        ),
        class_="row",
    )


def _entry(entry: Mapping[str, Any], own_names: frozenset[str], wording: Wording) -> str:
    actor = "You" if entry["actor"] in own_names else entry["actor"] or "A caller without a name"
    outcome = "" if entry["outcome"] == "done" else f", {entry['outcome']}"
    return f"{_clock(entry['at'], wording)}: {actor} {_action(entry['action'])}{outcome}"


def _action(action: str) -> str:
    """A route or an act of the page in words: `GET /api/bg/{userId}/statistics` is a look at statistics."""
    method, _, path = action.partition(" ")
    if method == "page:":
        return f"did on this page: {in_words(path)}"
    if path == _LOGIN:
        return "came back from a login"
    verb = _VERBS.get(method, "asked for")
    names = [part for part in path.split("/") if part and not part.startswith("{")]
    return f"{verb} {in_words(names[-1]) if names and names[-1] != 'bg' else 'readings'}"


def _clock(text: str, wording: Wording) -> str:
    return wording.clock(datetime.fromisoformat(text))
