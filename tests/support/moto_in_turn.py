"""Makes moto safe for several threads: it runs one call at a time."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from moto.core.models import botocore_stubber

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from moto.core.common_types import TYPE_RESPONSE


def take_calls_in_turn() -> None:
    """
    Put one lock around all calls of moto.

    Moto's tables are plain dictionaries without locks. Two threads could lose each other's updates, or both
    pass one condition, or fail because a dictionary changed during an iteration.
    """
    answer, turn = botocore_stubber.process_request, RLock()

    def in_turn(request: AWSPreparedRequest) -> TYPE_RESPONSE | None:
        with turn:
            return answer(request)

    botocore_stubber.process_request = in_turn  # type: ignore[method-assign]  # The lock has to be around moto's own function.
