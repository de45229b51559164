"""A cached secret that is read again before it is old, so that a rotation needs no deployment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bg_ingest.clock import Clock

Secret = TypeVar("Secret")

# Each process reads a secret at most twelve times an hour. During a rotation the provider must accept the old
# secret for longer than this after the new one is stored.
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
        # Several threads may read an old secret at once; that is harmless.
        now_s = self.clock.monotonic_s()
        if self.secret is None:
            self.secret, self.read_at_s = self.read(), now_s
        elif now_s - self.read_at_s >= MAX_AGE_S:
            try:
                self.secret, self.read_at_s = self.read(), now_s
            except (BotoCoreError, ClientError):
                return self.secret  # An old secret probably still works.
        return self.secret
