"""A secret that is read again before it is old, so that a rotation needs no deployment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from bg_ingest.wiring import aws_clients

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock

Secret = TypeVar("Secret")

# Secrets Manager is asked twelve times an hour by each process at most. The provider takes the old secret for
# longer than this if it is ended only after the new one is in place.
MAX_AGE_S = 300.0


@dataclass(slots=True)
class CachedSecret(Generic[Secret]):
    """One secret, as it was when last read."""

    read: Callable[[], Secret]
    clock: Clock
    secret: Secret | None = None
    read_at_s: float = 0.0

    def get(self) -> Secret:
        """The secret, at most five minutes old while it can be read."""
        # Threads that find it old at once all read it; that is harmless.
        now_s = self.clock.monotonic_s()
        if self.secret is None:
            self.secret, self.read_at_s = self.read(), now_s
        elif now_s - self.read_at_s >= MAX_AGE_S:
            try:
                self.secret, self.read_at_s = self.read(), now_s
            except (BotoCoreError, ClientError):
                # An old secret most probably works still; none at all certainly does not.
                return self.secret
        return self.secret


def in_secrets_manager(name: str) -> dict[str, Any]:
    """What the application's secret says now."""
    held: dict[str, Any] = json.loads(aws_clients.secrets().get_secret_value(SecretId=name)["SecretString"])
    return held
