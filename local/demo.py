"""The demo user: logs in at Dexcom through the login page and waits for the backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from local.errors import CannotStart
from local.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

USER_ID = "demo"
SIMULATED_PERSON = "SandboxUser7"
_BACKFILL_S_MAX = 300.0


def connect(api: str, token: str, user_id: str = USER_ID, simulated_person: str = SIMULATED_PERSON) -> None:
    """Start a login, authorize access at the simulated Dexcom, and follow the redirect to the callback."""
    with httpx.Client(timeout=60, trust_env=False) as browser:
        started = browser.post(f"{api}/api/bg/{user_id}/connection", headers=_bearer(token))
        _expect(started, 201)
        login = httpx.URL(started.json()["authorize_url"])
        # With `sim_user` the simulator redirects at once, without its login page.
        signed_in = browser.get(login.copy_merge_params({"sim_user": simulated_person}))
        _expect(signed_in, 302)
        returned = browser.get(signed_in.headers["location"])
        _expect(returned, 200)


def wait_for_backfill(
    api: str, token: str, user_id: str = USER_ID, on_progress: Callable[[str], None] = lambda _: None
) -> None:
    """Wait until the user's whole history is stored."""
    with httpx.Client(timeout=60, trust_env=False) as client:

        def is_done() -> bool:
            state = client.get(f"{api}/api/bg/{user_id}/sync", headers=_bearer(token))
            _expect(state, 200)
            backfill = state.json()["backfill"]
            on_progress(backfill["reached"] or "")
            return bool(backfill["done"])

        if not wait_until(is_done, _BACKFILL_S_MAX):
            raise CannotStart(f"The demo user's history did not arrive within {_BACKFILL_S_MAX:.0f} s.")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _expect(response: httpx.Response, status: int) -> None:
    if response.status_code != status:
        where = f"{response.request.method} {response.request.url.path}"
        raise CannotStart(
            f"{where} answered {response.status_code} instead of {status}: {response.text[:300]}"
        )
