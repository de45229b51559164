"""Grants and the audit log of a person."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bg_ingest.facades.page.forms import Act, Forms, check_boxes, choice, text_field
from bg_ingest.facades.page.markup import element, folded, joined
from bg_ingest.facades.page.wording import counted, in_words, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from bg_ingest.facades.page.wording import Wording

READS = (
    ("readings", "Readings"),
    ("statistics", "Statistics and profile"),
    ("completeness", "What is missing"),
)
_READS_IN_WORDS = {"completeness": "what is missing"}
_DAYS = (("14", "the last 14 days"), ("90", "the last 90 days"), ("all", "all days"))
_EXPIRY = (("7", "in a week"), ("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"))
# What a person did on the page, by the name of the act.
_ACTS = {
    Act.CONNECT: "asked to connect",
    Act.DISCONNECT: "ended a connection",
    Act.SYNC: "asked for a look",
    Act.INTERVAL: "changed how often we look",
    Act.SHOW: "changed unit or time zone",
    Act.GRANT: "made a link for others",
    Act.REVOKE: "ended the access of others",
    Act.EXPORT: "downloaded readings",
    Act.ERASE: "asked to erase everything",
}
_VERBS = {"GET": "looked at", "PUT": "changed", "DELETE": "removed"}
_GRANT_ID = r" \(grant [0-9a-z]+\)$"
_LOGIN = "/oauth/callback"
# What a request did, by its method and the last name in its path.
_REQUESTS = {
    ("POST", "connection"): _ACTS[Act.CONNECT],
    ("POST", "confirm"): "confirmed a login",
    ("DELETE", "connection"): _ACTS[Act.DISCONNECT],
    ("POST", "sync"): _ACTS[Act.SYNC],
    ("POST", "grants"): _ACTS[Act.GRANT],
    ("DELETE", "grants"): _ACTS[Act.REVOKE],
    ("POST", "exports"): "asked for an export",
    ("GET", "see"): "looked at this page",
}


def grants_view(grants: Sequence[Mapping[str, Any]], forms: Forms, wording: Wording) -> Markup:
    """The grants, as the API answers them, and a form for a new one."""
    rows = [_grant(grant, forms, wording) for grant in grants]
    return joined(
        element("ul", rows, class_="lines") if rows else element("p", "You alone can look.", class_="muted"),
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
    may_see = listed([_READS_IN_WORDS.get(each, each) for each in grant["reads"]])
    return element(
        "li",
        element(
            "span",
            element("strong", grant["label"]),
            f" may see {may_see} of {_days(grant['days'])}; {looked}; {ends}.",
            class_="grow",
        ),
        forms.form(
            Act.REVOKE, "Revoke", element("input", type="hidden", name="grant", value=grant["grant_id"])
        ),
        class_="row",
    )


def _days(days: Any) -> str:
    """The days of a grant, as the API answers them, in words."""
    if not isinstance(days, dict):
        return "all days"
    return f"the last {counted(days['last'], 'day')}" if "last" in days else f"{days['from']} to {days['to']}"


def _entry(entry: Mapping[str, Any], own_names: frozenset[str], wording: Wording) -> str:
    # A reader is named by the label that the person chose; the id of the grant is for programs.
    actor = re.sub(_GRANT_ID, "", entry["actor"]) or "A caller without a name"
    actor = "You" if entry["actor"] in own_names else actor
    if actor != "You" and entry["action"].endswith(_LOGIN):
        actor = "A browser"  # The login page of the provider leads back without a session.
    outcome = "" if entry["outcome"] == "done" else f", {entry['outcome']}"
    return f"{_clock(entry['at'], wording)}: {actor} {_action(entry['action'])}{outcome}"


def _action(action: str) -> str:
    """A route or an act of the page in words: `GET /api/bg/{userId}/statistics` is a look at statistics."""
    method, _, path = action.partition(" ")
    if method == "page:":
        return _ACTS.get(path) or f"did on this page: {in_words(path)}"  # type: ignore[call-overload] # A str.
    if path == _LOGIN:
        return "came back from a login"
    names = [part for part in path.split("/") if part and not part.startswith("{")]
    last = names[-1] if names and names[-1] != "bg" else "readings"
    return _REQUESTS.get((method, last)) or f"{_VERBS.get(method, 'asked for')} {in_words(last)}"


def _clock(text: str, wording: Wording) -> str:
    return wording.clock(datetime.fromisoformat(text))
