"""The demo user: logs in at Dexcom through the login page and waits for the backfill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from local.errors import CannotStart
from local.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable


USER_ID = "demo"
SIMULATED_PERSON = "SandboxUser7"
_BACKFILL_S_MAX = 600.0  # A busy machine needs minutes.
_CHECK_EVERY_S = 0.5  # Each check takes a function's time from the worker.
_READER = "demo-reader"


@dataclass(frozen=True, slots=True)
class Grant:
    """The read access of a reader: its token, and the page that shows the data in a browser."""

    token: str
    page_url: str


def connect(api: str, token: str, user_id: str = USER_ID, simulated_person: str = SIMULATED_PERSON) -> None:
    """Start a login, authorize access at the simulated Dexcom, and confirm with the code of the callback."""
    with httpx.Client(timeout=60, trust_env=False) as browser:
        started = browser.post(f"{api}/api/bg/{user_id}/connection", headers=_bearer(token))
        _expect(started, 201)
        login = httpx.URL(started.json()["authorize_url"])
        # With `sim_user` the simulator redirects at once, without its login page.
        signed_in = browser.get(login.copy_merge_params({"sim_user": simulated_person}))
        _expect(signed_in, 302)
        returned = browser.get(signed_in.headers["location"], headers={"Accept": "application/json"})
        _expect(returned, 200)
        code = {"confirm": returned.json()["confirm"]}
        confirmed = browser.post(
            f"{api}/api/bg/{user_id}/connection/confirm", headers=_bearer(token), json=code
        )
        _expect(confirmed, 200)


def give_read_access(api: str, token: str, user_id: str = USER_ID) -> Grant:
    """Make a grant that opens everything, in place of the one of an earlier start."""
    grants = f"{api}/api/bg/{user_id}/grants"
    wanted = {"label": _READER, "reads": ["readings", "statistics", "completeness"], "days": "all"}
    with httpx.Client(headers=_bearer(token), timeout=60, trust_env=False) as client:
        listed = client.get(grants)
        _expect(listed, 200)
        for grant in listed.json():
            if grant["label"] == _READER:
                client.delete(f"{grants}/{grant['grant_id']}")
        made = client.post(grants, json=wanted)
    _expect(made, 201)
    return Grant(made.json()["token"], made.json()["page_url"])


def wait_for_readings(api: str, token: str) -> None:
    """Wait until the demo user's newest reading can be read."""
    with httpx.Client(timeout=60, trust_env=False) as client:

        def is_readable() -> bool:
            newest = client.get(f"{api}/api/bg/{USER_ID}/latest", headers=_bearer(token))
            if newest.status_code in {404, 503}:  # Not yet; or a busy machine.
                return False
            _expect(newest, 200)
            return True

        if not wait_until(is_readable, _BACKFILL_S_MAX, every_s=_CHECK_EVERY_S):
            raise CannotStart(f"No reading of the demo user arrived within {_BACKFILL_S_MAX:.0f} s.")


def wait_for_backfill(
    api: str, token: str, user_id: str = USER_ID, on_progress: Callable[[str], None] = lambda _: None
) -> None:
    """Wait until the user's whole history is stored."""
    with httpx.Client(timeout=60, trust_env=False) as client:

        def is_done() -> bool:
            state = client.get(f"{api}/api/bg/{user_id}/sync", headers=_bearer(token))
            if state.status_code == 503:  # A busy machine: "send it again".
                return False
            _expect(state, 200)
            backfill = state.json()["backfill"]
            on_progress(backfill["reached"] or "")
            return bool(backfill["done"])

        if not wait_until(is_done, _BACKFILL_S_MAX, every_s=_CHECK_EVERY_S):
            raise CannotStart(f"The demo user's history did not arrive within {_BACKFILL_S_MAX:.0f} s.")


def catch_up(api: str, token: str) -> None:
    """Sync the demo user once, for what was measured while nothing ran; without a connection this fails."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        client.post(f"{api}/api/bg/{USER_ID}/sync", headers=_bearer(token))


def check_reads(api: str, token: str) -> None:
    """Check that requests for the demo user's data are answered, with data or with 404."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        for path in ("latest", "connection"):
            answer = client.get(f"{api}/api/bg/{USER_ID}/{path}", headers=_bearer(token))
            if answer.status_code != 404:
                _expect(answer, 200)


def freshness(api: str, token: str, *, simulated: bool) -> str:
    """One sentence: how old the demo user's newest reading is, and why."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        newest = client.get(f"{api}/api/bg/{USER_ID}/latest", headers=_bearer(token))
        connection = client.get(f"{api}/api/bg/{USER_ID}/connection", headers=_bearer(token))
    if not newest.is_success:
        return "The demo user has no reading yet."
    minutes = newest.json()["age_seconds"] // 60
    age = f"The newest reading is {minutes} minute{'s' if minutes != 1 else ''} old"
    if connection.json().get("state") != "connected":
        return f"{age}: the demo user is not connected."
    if not simulated:
        return f"{age}. Dexcom serves a phone's readings an hour late or later."
    return f"{age}: the sensor measures every 5 minutes, and Dexcom serves a reading after a minute."


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _expect(response: httpx.Response, status: int) -> None:
    if response.status_code != status:
        where = f"{response.request.method} {response.request.url.path}"
        raise CannotStart(
            f"{where} answered {response.status_code} instead of {status}: {response.text[:300]}"
        )
