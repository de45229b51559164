"""The login: a user authorizes or denies access, and the browser is redirected to the application."""

from collections.abc import Mapping
from itertools import islice
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from dexcom_sim.http.dependencies import SimulatorDependency
from dexcom_sim.http.login_page import login_page, problem_page
from dexcom_sim.simulator import SimulatedDexcom

_LISTED_MAX = 20  # The page lists no more users than a person can choose from.

router = APIRouter()


class AuthorizationRequest(BaseModel):
    """The OAuth parameters of a login link."""

    client_id: str = ""
    redirect_uri: str = ""
    response_type: str = ""
    scope: str = ""
    state: str | None = None

    def problem(self, simulator: SimulatedDexcom) -> str | None:
        """Why the login cannot redirect, as a sentence for the user; None if the link is valid."""
        if self.client_id != simulator.application.client_id:
            return "Dexcom does not know the application that sent you (client_id)."
        if not simulator.application.accepts_redirect(self.redirect_uri):
            return "The application wants to send you to an address it has not registered (redirect_uri)."
        if self.response_type != "code":
            return "The application must ask for a code (response_type=code)."
        if "offline_access" not in self.scope.split():
            return "The application must ask for offline access (scope=offline_access)."
        return None

    def redirect(self, parameters: Mapping[str, str]) -> Response:
        """Redirect the browser to the application with these parameters."""
        added = dict(parameters) if self.state is None else {**parameters, "state": self.state}
        parts = urlsplit(self.redirect_uri)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
        return RedirectResponse(urlunsplit(parts._replace(query=query)), status_code=302)


class DirectAuthorizationRequest(AuthorizationRequest):
    """A login link with the user's decision in it, for programs that cannot use the page."""

    sim_user: str | None = None
    sim_decision: str = "authorize"


class LoginForm(AuthorizationRequest):
    """The form of the login page."""

    user: str = ""
    decision: str = ""


@router.get("/v2/oauth2/login")
@router.get("/v3/oauth2/login")
def show(simulator: SimulatorDependency, request: Annotated[DirectAuthorizationRequest, Query()]) -> Response:
    """The login page, or the redirect if the link names `sim_user`."""
    if request.sim_user is not None:
        return _decide(simulator, request, request.sim_user, request.sim_decision)
    problem = request.problem(simulator)
    if problem is not None:
        return HTMLResponse(problem_page(problem), 400)
    hidden = request.model_dump(include=set(AuthorizationRequest.model_fields), exclude_none=True)
    people = islice(simulator.people.values(), _LISTED_MAX)
    return HTMLResponse(login_page(request.client_id, people, hidden))


@router.post("/v2/oauth2/login")
@router.post("/v3/oauth2/login")
def decide(simulator: SimulatorDependency, form: Annotated[LoginForm, Form()]) -> Response:
    """The redirect after the user has pressed a button."""
    return _decide(simulator, form, form.user, form.decision)


def _decide(simulator: SimulatedDexcom, request: AuthorizationRequest, user: str, decision: str) -> Response:
    problem = request.problem(simulator)
    if problem is None and decision not in {"authorize", "deny"}:
        problem = "The decision must be authorize or deny."
    if problem is None and decision == "authorize" and simulator.person(user) is None:
        problem = "There is no such sandbox user."
    if problem is not None:
        return HTMLResponse(problem_page(problem), 400)
    if decision == "deny":
        return request.redirect({"error": "access_denied"})
    return request.redirect({"code": simulator.consents.grant_code(user, request.redirect_uri)})
