"""
The project's own check for Schemathesis: a valid request is not refused as invalid.

Schemathesis loads this module in its own environment, so it imports nothing of the project. It takes the
place of the check `positive_data_acceptance`, which does not distinguish the reasons of a 422. A schema
describes the form of each value. Whether a value fits another value, the clock or the state of the service is
not a question of form: _BEYOND_A_SCHEMA lists each reason of this kind.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import schemathesis

_BEYOND_A_SCHEMA = (
    # Two values of one request.
    ("from", r"must not be after `to`"),
    ("days.from", r"must not be after `days.to`"),
    ("cursor", r"was not issued by this API"),
    # The clock.
    ("from|since|as_of", r"must not be (in the future|before 1970)"),
    ("to", r"is too early"),
    ("expires_at", r"must be in the future"),
    # The class of a character, which a pattern of JSON Schema does not know.
    ("label", r"Input should have a visible character"),
    # The settings of the service, or another server.
    ("return_url", r"is not one of the URLs in the setting RETURN_URLS"),
    ("url", r"does not answer like a Nightscout|leads to an address that is not public"),
    ("token", r"is not known to this server"),
)


@schemathesis.check  # type: ignore[untyped-decorator] # It is not installed where types are checked.
def valid_request_is_not_invalid(ctx: Any, response: Any, case: Any) -> None:
    """Fail if a generated valid request gets a 422 whose reason is the form of a value."""
    del ctx
    if response.status_code != HTTPStatus.UNPROCESSABLE_ENTITY or not case.meta.generation.mode.is_positive:
        return
    document = response.json()
    # Other types, such as range-too-long, are relations of values, and each has a type of its own.
    if document["type"].endswith("/invalid-request"):
        unexplained = [fault for fault in document["errors"] if not _is_beyond_a_schema(fault)]
        assert not unexplained, f"valid by openapi.json, but refused: {unexplained}"


def _is_beyond_a_schema(fault: dict[str, str]) -> bool:
    return any(
        re.fullmatch(field, fault["field"]) and re.match(reason, fault["reason"])
        for field, reason in _BEYOND_A_SCHEMA
    )
