"""HTTP side of the page: its headers, its cookies, and the checks of a form that was sent."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.shared.cookies import Cookie, SameSite

from bg_ingest import problems
from bg_ingest.facades.page import document
from bg_ingest.facades.page.forms import FORM_TOKEN
from bg_ingest.http_api.responding import NO_STORE, public_address

if TYPE_CHECKING:
    from typing import Any

    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

    from bg_ingest.http_api.serving import ApiSettings
    from bg_ingest.signing_in.session import PageSession, Sessions

# The prefix makes browsers refuse the cookie from another host, from a subdomain and without TLS.
SESSION_COOKIE, ATTEMPT_COOKIE = "__Host-session", "__Host-signin"
_HTML = "text/html; charset=utf-8"
FORM_BYTES_MAX = 10_000
FORM_FIELDS_MAX = 30


class FormRefused(Exception):
    """A form that was not sent from the page of this session."""


@dataclass(frozen=True, slots=True)
class SentForm:
    """The fields of a form; each may have several values."""

    fields: dict[str, list[str]]

    def one(self, name: str) -> str:
        """The value of a field, or an empty text."""
        return self.fields.get(name, [""])[0]


def html_response(
    page: str,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    cookies: list[Cookie] | None = None,
    form_target: str = "",
    referrer: str = "same-origin",  # Browsers send no Origin with a form from a page without referrer.
) -> Response[str]:
    """Return a page that no cache may store, and that loads nothing beside itself."""
    headers = {
        **NO_STORE,
        "Content-Security-Policy": _policy(form_target),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": referrer,
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    return Response(status, content_type=_HTML, body=page, headers=headers, cookies=cookies or [])


def for_people(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of the function with a page in place of a problem document."""
    if answer["headers"].get("Content-Type") != problems.CONTENT_TYPE or not answer.get("body"):
        return answer
    raw = answer["body"]
    found = json.loads(gzip.decompress(base64.b64decode(raw)) if answer.get("isBase64Encoded") else raw)
    text = f"{found.get('detail') or ''} The number of this request is {found['instance']}.".strip()
    headers = {**answer["headers"], "Content-Type": _HTML, "Content-Security-Policy": _policy("")}
    headers.pop("Content-Encoding", None)
    page = document.message_page(found["title"], text)
    return answer | {"body": page, "isBase64Encoded": False, "headers": headers}


def redirect(address: str, *cookies: Cookie) -> Response[str]:
    """Send the browser on, with GET."""
    headers = {"Location": address, "Referrer-Policy": "no-referrer", **NO_STORE}
    return Response(HTTPStatus.SEE_OTHER, body="", headers=headers, cookies=list(cookies))


def cookie(name: str, value: str, life_s: int) -> Cookie:
    """Return a cookie that no script reads, and that another site's request does not carry."""
    # Lax, not Strict: the browser comes back from the issuer and the provider by links from their sites.
    return Cookie(name, value, path="/", http_only=True, same_site=SameSite.LAX_MODE, max_age=life_s)


def no_cookie(name: str) -> Cookie:
    """Return what removes a cookie."""
    return Cookie(
        name, "", path="/", http_only=True, same_site=SameSite.LAX_MODE, custom_attributes=["Max-Age=0"]
    )


def cookie_sent(app: APIGatewayHttpResolver, name: str) -> str | None:
    """Return a cookie of the request."""
    event: dict[str, Any] = app.current_event.raw_event
    # The gateway sends a list, and the emulated one a header.
    lines = [*(event.get("cookies") or []), *((event.get("headers") or {}).get("cookie") or "").split(";")]
    for line in lines:
        key, _, value = str(line).strip().partition("=")
        if key == name:
            return value
    return None


def session_of(app: APIGatewayHttpResolver, sessions: Sessions) -> PageSession | None:
    """Return the session of the request."""
    return sessions.of(cookie_sent(app, SESSION_COOKIE))


def sent_form(
    app: APIGatewayHttpResolver, api: ApiSettings, session: PageSession | None
) -> tuple[PageSession, SentForm]:
    """Return the session and the fields of a form; raise FormRefused unless its own page has sent it."""
    if session is None or not is_same_origin(app, api):
        raise FormRefused
    try:
        body = app.current_event.decoded_body or ""
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        raise FormRefused from None
    form = SentForm(fields)
    if len(body) > FORM_BYTES_MAX or not session.accepts(form.one(FORM_TOKEN)):
        raise FormRefused
    return session, form


def is_same_origin(app: APIGatewayHttpResolver, api: ApiSettings) -> bool:
    """Return whether the browser says that the request comes from our own page."""
    own = urlsplit(public_address(app, api, "/"))
    return app.current_event.headers.get("origin") == f"{own.scheme}://{own.netloc}"


def came_from_elsewhere(app: APIGatewayHttpResolver) -> bool:
    """Return whether the browser says that another site has started a navigation."""
    return app.current_event.headers.get("sec-fetch-site") in {"cross-site", "same-site"}


def _policy(form_target: str) -> str:
    # After a form, browsers apply `form-action` to the redirect as well: to the provider's login page.
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {document.style_hash()}",
            "img-src data:",
            f"form-action 'self' {form_target}".strip(),
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
