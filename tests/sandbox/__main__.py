"""Checks Dexcom's real sandbox; needs DEXCOM_CLIENT_ID, DEXCOM_CLIENT_SECRET and DEXCOM_REDIRECT_URI."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING

import httpx

from bg_ingest.clock import SystemClock
from bg_ingest.providers.dexcom import Application, base_url
from bg_ingest.providers.errors import ProviderError
from tests.sandbox.checks import CHECKS
from tests.sandbox.login import LoginFailed, SandboxAccount, code_in, log_in, oauth_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.sandbox.checks import Check

_NEEDED = ("DEXCOM_CLIENT_ID", "DEXCOM_CLIENT_SECRET", "DEXCOM_REDIRECT_URI")


def main() -> int:
    """Log in and run every check; return how many have failed."""
    given = dict(os.environ)  # noqa: TID251 - the credentials of the person at the terminal.
    missing = [name for name in _NEEDED if not given.get(name)]
    if missing:
        print(f"{', '.join(missing)} is not set. Register an application at https://developer.dexcom.com;")
        print("its client id, secret and redirect URI are the values.")
        return 1
    application = Application(*(given[name] for name in _NEEDED))
    clock = SystemClock()
    oauth = oauth_at(given.get("DEXCOM_API_BASE_URL") or base_url("sandbox"), application, clock)
    state = secrets.token_urlsafe(16)
    print("Open this address, choose a sandbox user and allow access:\n")
    print(f"  {oauth.authorize_url(state)}\n")
    try:
        code = code_in(input("Paste the address that the browser shows then: "), state)
        return run(log_in(oauth, code, clock))
    except (LoginFailed, ProviderError) as failed:
        print(failed)
        return 1


def run(account: SandboxAccount, checks: Iterable[Check] = CHECKS) -> int:
    """Run the checks and print what each observed; return how many have failed."""
    failed = 0
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            print(f"  {name:<52} {check(account)}", flush=True)
        except (AssertionError, ProviderError, httpx.HTTPError) as trouble:
            failed += 1
            # Not the text of an assertion: it could contain values.
            reason = "" if isinstance(trouble, AssertionError) else f" ({type(trouble).__name__}: {trouble})"
            print(f"  {name:<52} FAILED{reason}. Expected: {check.__doc__}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
