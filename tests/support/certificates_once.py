"""Reads the certificates of all authorities once for all HTTP clients of a test process."""

from functools import lru_cache

from httpx._transports import default


def read_certificates_once() -> None:
    """Give clients with the same settings the same SSL context; making one takes 25 ms."""
    make = getattr(default, "create_ssl_context")  # noqa: B009 - mypy refuses the plain form.
    setattr(default, "create_ssl_context", lru_cache(make))  # noqa: B010 - as above.
