"""
Errors of a call to a provider, grouped by what the caller does next.

* ProviderError
  - TryLater             retry later, after `retry_after_s` if it is known
    + Throttled            the provider answered 429: too many calls
    + Unavailable          5xx, 408, 3xx, a timeout, a broken connection, or a transient refusal of tokens
    + Garbled              a 2xx without JSON: truncated, empty, or an HTML page
    + Crowded              not sent: the rate limiter of this process has no free place in time
    + CircuitOpen          not sent: too many of the recent calls have failed
    + QuotaSpent           not sent: the application's calls of this hour are used up
    + OutOfTime            not sent: too little of the caller's time is left
  - TokenRejected        401 or 403: refresh the access token and retry, one time
  - LoginNeeded          ask the user to log in at the provider
    + ConsentRevoked       the refresh token is invalid
    + CodeRefused          the authorization code is invalid
    + CredentialsRefused   the address or the token that the user typed cannot be used; the text is a reason
  - PersonNeeded         alert an operator: a retry cannot help
    + ContractBroken       a 2xx with JSON that differs from the provider's documentation
    + RequestRefused       400, 404 and other 4xx: the request is wrong
    + ApplicationFull      the provider accepts no more users for this application
    + NotOffered           the provider has no such endpoint

The text of an error is our own. It contains no token, user id, glucose value or part of a response body. The
error is not chained to an error of the HTTP library, because that text could contain one.
"""

from __future__ import annotations


class ProviderError(Exception):
    """A call to a provider has no usable response."""


class TryLater(ProviderError):
    """The call can succeed later without any other change."""

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Throttled(TryLater):
    """The provider answered 429; `retry_after_s` is its Retry-After header, if it sent one."""


class Unavailable(TryLater):
    """The provider failed or could not be reached."""


class Garbled(TryLater):
    """The provider answered with success, and the body is not JSON."""


class Crowded(TryLater):
    """The rate limiter of this process would delay the call for too long."""


class CircuitOpen(TryLater):
    """The circuit breaker is open, so the provider was not called."""


class QuotaSpent(TryLater):
    """The application's hourly quota is used up, so the provider was not called."""


class OutOfTime(TryLater):
    """Too little of the caller's time is left for an attempt."""


class TokenRejected(ProviderError):
    """The provider does not accept the access token."""


class LoginNeeded(ProviderError):
    """The user has to log in at the provider."""


class ConsentRevoked(LoginNeeded):
    """The refresh token is invalid: revoked, already used, or expired."""


class CodeRefused(LoginNeeded):
    """The authorization code is invalid: already used, or expired."""


class CredentialsRefused(LoginNeeded):
    """The address or the token that the user typed cannot be used; its text is one of the login's reasons."""


class PersonNeeded(ProviderError):
    """A retry cannot help: an operator has to find the cause."""


class ContractBroken(PersonNeeded):
    """The response differs from the provider's documentation."""


class RequestRefused(PersonNeeded):
    """The provider rejects the request as wrong."""


class ApplicationFull(PersonNeeded):
    """The provider's limit of users for this application is reached."""


class NotOffered(PersonNeeded):
    """The provider has no such endpoint, or none is configured."""
