"""
What can go wrong between us and Dexcom, grouped by what the caller does next.

* ProviderError
  x TryLater             put the job back on the queue; `retry_after_s` says for how long, where that is known
    - Throttled            429: too many calls
    - Unavailable          5xx, a timeout, a broken connection, or a refusal that says nothing about us
    - Garbled              a 2xx that is no JSON: cut short, empty, or somebody's maintenance page
    - Crowded              not called: too many others of this process wait for their turn
    - CircuitOpen          not called: too many calls in a row have failed
    - QuotaSpent           not called: the application's calls of this hour are used up
    - OutOfTime            not called (again): the caller's time would not have lasted
  x TokenRejected        401 or 403: refresh the access token and ask again, once
  x LoginNeeded          the person has to log in at Dexcom (again)
    - ConsentRevoked       the refresh token is dead
    - CodeRefused          the code of a login is dead
  x PersonNeeded         trying again cannot help, somebody has to look
    - ContractBroken       a 2xx that is JSON and still not what was agreed
    - RequestRefused       400, 404 and the like: we asked wrongly
    - ApplicationFull      Dexcom lets no more people connect to this application
    - NotOffered           this provider has no such thing

An error says what happened in our own words. It never carries a token, a person's id, a glucose value, or
anything out of an answer's body; nor does it chain to the library's error beneath it, whose text might.
"""

from __future__ import annotations


class ProviderError(Exception):
    """Anything that keeps an answer from us."""


class TryLater(ProviderError):
    """Waiting can help."""

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Throttled(TryLater):
    """Dexcom said 429; `retry_after_s` is what it asked for, if it did."""


class Unavailable(TryLater):
    """Dexcom could not be reached, or failed."""


class Garbled(TryLater):
    """Dexcom answered, and no JSON arrived."""


class Crowded(TryLater):
    """The process's own pace would have made this call wait too long."""


class CircuitOpen(TryLater):
    """Dexcom failed too often just now; it was not called."""


class QuotaSpent(TryLater):
    """The application's hourly budget is used up; Dexcom was not called."""


class OutOfTime(TryLater):
    """Too little of the caller's time is left for another attempt."""


class TokenRejected(ProviderError):
    """Dexcom does not accept the access token, or no longer."""


class LoginNeeded(ProviderError):
    """Only the person can help, by logging in."""


class ConsentRevoked(LoginNeeded):
    """The refresh token is dead: revoked, used before, or expired."""


class CodeRefused(LoginNeeded):
    """The code of this login is dead: used before, or older than a minute."""


class PersonNeeded(ProviderError):
    """Nothing the service does will change it."""


class ContractBroken(PersonNeeded):
    """Dexcom's answer is not what it documents."""


class RequestRefused(PersonNeeded):
    """Dexcom cannot make sense of what we asked."""


class ApplicationFull(PersonNeeded):
    """Dexcom's limit of people per application is reached."""


class NotOffered(PersonNeeded):
    """The provider documents no such call, and none is configured."""
