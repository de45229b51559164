"""Moto, for several threads: it carries out one call at a time."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from moto.core.models import botocore_stubber

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from moto.core.common_types import TYPE_RESPONSE


def take_calls_in_turn() -> None:
    """
    Let every call that moto answers wait for the one before.

    Its tables are plain dictionaries without locks: two threads lose each other's updates, win one condition
    twice, or fail for a dictionary that changed under their hands. A call of its own is all or nothing.
    """
    answer, turn = botocore_stubber.process_request, RLock()

    def in_turn(request: AWSPreparedRequest) -> TYPE_RESPONSE | None:
        with turn:
            return answer(request)

    botocore_stubber.process_request = in_turn  # type: ignore[method-assign]  # That is the point.
