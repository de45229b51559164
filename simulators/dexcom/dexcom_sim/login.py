"""Dexcom's login: a person says yes or no, and their browser carries the answer back."""

from collections.abc import Mapping
from itertools import islice
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from dexcom_sim.asked import WorldOf
from dexcom_sim.page import login_page, problem_page
from dexcom_sim.world import World

_LISTED_MAX = 20  # More people than that would not be a choice.

router = APIRouter()


class Asked(BaseModel):
    """What an application sends along when it sends a person here."""

    client_id: str = ""
    redirect_uri: str = ""
    response_type: str = ""
    scope: str = ""
    state: str | None = None

    def problem(self, world: World) -> str | None:
        """Why nobody can be sent back, in words for the person; None when all is well."""
        if self.client_id != world.application.client_id:
            return "Dexcom does not know the application that sent you (client_id)."
        if not world.application.accepts_redirect(self.redirect_uri):
            return "The application wants to send you to an address it has not registered (redirect_uri)."
        if self.response_type != "code":
            return "The application must ask for a code (response_type=code)."
        if "offline_access" not in self.scope.split():
            return "The application must ask for offline access (scope=offline_access)."
        return None

    def back(self, answer: Mapping[str, str]) -> Response:
        """Send the browser back to the application."""
        answer = dict(answer) if self.state is None else {**answer, "state": self.state}
        parts = urlsplit(self.redirect_uri)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *answer.items()])
        return RedirectResponse(urlunsplit(parts._replace(query=query)), status_code=302)


class AskedAtOnce(Asked):
    """For programs, which cannot press buttons: who they are is in the link."""

    sim_user: str | None = None
    sim_decision: str = "authorize"


class Answered(Asked):
    """What the page's form sends."""

    user: str = ""
    decision: str = ""


@router.get("/v2/oauth2/login")
@router.get("/v3/oauth2/login")
def show(world: WorldOf, asked: Annotated[AskedAtOnce, Query()]) -> Response:
    """The page; or, with `sim_user`, its answer at once."""
    if asked.sim_user is not None:
        return _decide(world, asked, asked.sim_user, asked.sim_decision)
    problem = asked.problem(world)
    if problem is not None:
        return HTMLResponse(problem_page(problem), 400)
    carried = asked.model_dump(include=set(Asked.model_fields), exclude_none=True)
    people = islice(world.people.values(), _LISTED_MAX)
    return HTMLResponse(login_page(asked.client_id, people, carried))


@router.post("/v2/oauth2/login")
@router.post("/v3/oauth2/login")
def decide(world: WorldOf, answered: Annotated[Answered, Form()]) -> Response:
    """The person pressed one of the two buttons."""
    return _decide(world, answered, answered.user, answered.decision)


def _decide(world: World, asked: Asked, user: str, decision: str) -> Response:
    problem = asked.problem(world)
    if problem is None and decision not in {"authorize", "deny"}:
        problem = "The answer must be authorize or deny."
    if problem is None and decision == "authorize" and world.person(user) is None:
        problem = "There is no such sandbox user."
    if problem is not None:
        return HTMLResponse(problem_page(problem), 400)
    if decision == "deny":
        return asked.back({"error": "access_denied"})
    return asked.back({"code": world.consents.grant_code(user, asked.redirect_uri)})
