"""What a signed-in person does on the page. Each act is checked, limited and audited as in the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from bg_ingest import telemetry
from bg_ingest.access.audit import AuditOutcome
from bg_ingest.access.grant import LABEL_MAX, Category, GrantDays
from bg_ingest.access.grants import TooManyGrants
from bg_ingest.accounts.display_settings import UNITS, DisplaySettings, zone_named
from bg_ingest.connecting import flow
from bg_ingest.erasing.receipt import ErasureActor
from bg_ingest.exporting.export_file import MEDIA_TYPES, ExportRequest
from bg_ingest.facades.page import document
from bg_ingest.facades.page.forms import ACT, PROVIDER, Act, Forms
from bg_ingest.http_api.pages.page_response import SESSION_COOKIE, html_response, no_cookie, redirect
from bg_ingest.http_api.pages.page_values import own_view
from bg_ingest.http_api.requests import own_server_request, params
from bg_ingest.http_api.responding import NO_STORE, file_response
from bg_ingest.problems import Problem
from bg_ingest.settings import POLL_INTERVALS_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.event_handler import Response

    from bg_ingest.access.caller_limits import WriteLimits
    from bg_ingest.connecting.flow import ConnectDeps
    from bg_ingest.connecting.new_connection import OwnServerLogin
    from bg_ingest.exporting.export_file import ExportFiles, FileFormat
    from bg_ingest.http_api.pages.page_response import SentForm
    from bg_ingest.http_api.pages.page_values import PageSources
    from bg_ingest.signing_in.session import PageSession, Sessions
    from bg_ingest.sync.user_sources import UserSource

# What the page says after an act. Only the name of the notice is in the address.
NOTICES = {
    "connected": "You are connected. Your history is on its way, the newest readings first.",
    "disconnected": "Disconnected. Your readings are kept.",
    "looking": "We look now. Load the page again in some seconds.",
    "saved": "Saved.",
    "revoked": "Access has ended.",
    "not-valid": "That was not valid, so nothing has changed.",
    "too-often": "That was too often. Please try again later.",
    "not-connected": "This needs a connected account.",
    "too-long": "One file cannot hold that many readings. Choose fewer days.",
}
_FORMATS: dict[str, FileFormat] = {"csv": "csv", "ndjson": "ndjson"}
_EXPORT_DAYS_MAX = 92
_FIELDS = {"url": "address", "token": "token"}  # As the form names them.
_ERASE_WORD = "erase"
_ERASED = (
    "Your data is being erased",
    "It takes some minutes with much data. You are signed out, and nothing is fetched any more.",
)


@dataclass(frozen=True, slots=True)
class PageActs:
    """The collaborators of the acts."""

    sources: PageSources
    sessions: Sessions
    connecting: Callable[[], ConnectDeps]  # Made when it is needed: most requests only read.
    own_server: Callable[[], OwnServerLogin]
    files: ExportFiles
    order_erasure: Callable[[str, ErasureActor], None]
    limits: WriteLimits  # By act.
    public_address: Callable[[str], str] = str  # The whole address of a path.
    time_left_s: Callable[[], float] = lambda: 0.0  # Until the function ends.


class NotValid(Exception):
    """A field of a form has no valid value; its name is the notice to show."""


def act_on(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    """Carry out a form of this session; audited before and after, as every write is."""
    try:
        act = Act(form.one(ACT))
    except ValueError:
        return _back("not-valid")
    session.caller.must_write(session.user_id)
    if not acts.limits.of(act).take(session.subject).accepted:
        return _back("too-often")
    if act is Act.ERASE_FOR_GOOD:
        return _erase(acts, session, form)  # Its receipt is the record, as in the API.
    entry = acts.sources.audit.save(
        acts.sources.audit.new_entry(
            session.user_id,
            actor=session.subject,
            action=f"page: {act}",
            correlation_id=telemetry.correlation_id(),
        )
    )
    outcome = AuditOutcome.FAILED
    try:
        response = _HANDLERS[act](acts, session, form)
        outcome = AuditOutcome.DONE
    except NotValid as fault:
        outcome = AuditOutcome.REFUSED
        response = _back(str(fault))
    except Problem as problem:
        outcome = AuditOutcome.REFUSED
        response = _not_connected(problem)
    finally:
        acts.sources.audit.complete(entry, outcome)
    return response


def _connect(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    if acts.sources.service.providers[_provider(acts, form)].capabilities.own_server:
        return _connect_own_server(acts, session, form)
    address, _expires_at = flow.start(acts.connecting(), session.user_id, None)
    return redirect(address)


def _connect_own_server(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    try:
        body = params.ConnectionRequest(url=form.one("address").strip(), token=form.one("token").strip())
        own_server_request.connect(
            acts.connecting(),
            acts.own_server(),
            session.user_id,
            body,
            time_left_s=acts.time_left_s,
            correlation_id=telemetry.correlation_id(),
        )
    except ValueError:  # Of pydantic: a field is too long.
        raise NotValid("not-valid") from None
    return _back("connected")


def _not_connected(problem: Problem) -> Response[str]:
    """Why a server of the person's own cannot be connected; nothing of the form is in the address."""
    faults = [f"The {_FIELDS[each['field']]} {each['reason']}." for each in problem.errors]
    text = " ".join(faults) or problem.detail or problem.kind.title
    return html_response(document.message_page("Not connected", text), HTTPStatus(problem.kind.status))


def _disconnect(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    flow.disconnect(acts.connecting(), session.user_id, _source(acts, session, form).provider)
    return _back("disconnected")


def _sync(acts: PageActs, session: PageSession, _: SentForm) -> Response[str]:
    service = acts.sources.service
    connected = [each.name for each in service.sources(session.user_id) if each.is_connected]
    if not connected:
        raise NotValid("not-connected")
    for source in connected:
        if service.waiting_order(session.user_id, None, source=source) is None:
            order = service.new_order(session.user_id, telemetry.correlation_id(), source=source)
            service.enqueue(order)
    return _back("looking")


def _interval(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    seconds = form.one("seconds")
    if seconds not in map(str, POLL_INTERVALS_S | {acts.sources.service.poll_interval_s}):
        raise NotValid("not-valid")
    source, states = _source(acts, session, form), acts.sources.service.stores.states
    if not states.choose_interval(session.user_id, int(seconds), source.name):
        raise NotValid("not-connected")
    return _back("saved")


def _source(acts: PageActs, session: PageSession, form: SentForm) -> UserSource:
    provider = _provider(acts, form)
    for source in acts.sources.service.sources(session.user_id):
        if source.provider == provider:
            return source
    raise NotValid("not-connected")


def _provider(acts: PageActs, form: SentForm) -> str:
    name = form.one(PROVIDER)
    if name not in acts.sources.service.providers:
        raise NotValid("not-valid")
    return name


def _show(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    unit, zone = form.one("unit"), form.one("zone").strip()
    if unit not in UNITS or (zone and zone_named(zone) is None):
        raise NotValid("not-valid")
    settings = DisplaySettings("mmol/L" if unit == "mmol/L" else "mg/dL", zone or None)
    acts.sources.display.save(session.user_id, settings)
    return _back("saved")


def _grant(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    label, days, reads = form.one("label").strip(), form.one("days"), form.fields.get("reads", [])
    known = [category for category in Category if category in reads]
    if not (0 < len(label) <= LABEL_MAX and label.isprintable() and known):
        raise NotValid("not-valid")
    if days not in {"14", "90", "all"} or form.one("expires") not in {"7", "30", "90", "365"}:
        raise NotValid("not-valid")
    grants = acts.sources.grants
    expires_at = grants.clock.now() + timedelta(days=int(form.one("expires")))
    opened = GrantDays() if days == "all" else GrantDays(last=int(days))
    try:
        _, token = grants.create(session.user_id, label, known, opened, expires_at)
    except TooManyGrants:
        raise NotValid("not-valid") from None
    return html_response(document.grant_page(acts.public_address(f"/see/{token}"), token))


def _revoke(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    if not acts.sources.grants.revoke(session.user_id, form.one("grant")):
        raise NotValid("not-valid")
    return _back("revoked")


def _export(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    days, kind = form.one("days"), form.one("format")
    if kind not in _FORMATS or not days.isdecimal() or not 0 < int(days) <= _EXPORT_DAYS_MAX:
        raise NotValid("not-valid")
    now = acts.sources.service.clock.now()
    start = now - timedelta(days=int(days))
    request = ExportRequest(session.user_id, start, now, _FORMATS[kind])
    content = acts.files.content(request)
    if not acts.files.fits(content):
        raise NotValid("too-long")  # A link to a file would be a secret in an address.
    headers = {**NO_STORE, "Content-Disposition": f'attachment; filename="{request.file_name}"'}
    return file_response(content, MEDIA_TYPES[request.format], headers)


def _ask_to_erase(acts: PageActs, session: PageSession, _: SentForm) -> Response[str]:
    view = own_view(acts.sources, session.user_id, session.subject)
    return html_response(document.erase_page(view, Forms(session.form_token)))


def _erase(acts: PageActs, session: PageSession, form: SentForm) -> Response[str]:
    if form.one("confirmed").strip().lower() != _ERASE_WORD:
        return _ask_to_erase(acts, session, form)
    acts.order_erasure(session.user_id, ErasureActor.of(session.caller))
    acts.sessions.end(session)
    return html_response(document.message_page(*_ERASED), cookies=[no_cookie(SESSION_COOKIE)])


def _sign_out(acts: PageActs, session: PageSession, _: SentForm) -> Response[str]:
    return signed_out(acts.sessions, session)


def signed_out(sessions: Sessions, session: PageSession | None) -> Response[str]:
    """End a session and show the page of a visitor."""
    if session:
        sessions.end(session)
    return redirect("/", no_cookie(SESSION_COOKIE))


def _back(notice: str) -> Response[str]:
    return redirect(f"/?notice={notice}")


_HANDLERS = {
    Act.CONNECT: _connect,
    Act.DISCONNECT: _disconnect,
    Act.SYNC: _sync,
    Act.INTERVAL: _interval,
    Act.SHOW: _show,
    Act.GRANT: _grant,
    Act.REVOKE: _revoke,
    Act.EXPORT: _export,
    Act.ERASE: _ask_to_erase,
    Act.SIGN_OUT: _sign_out,
}
