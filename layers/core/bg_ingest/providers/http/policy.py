"""
The numbers of our patience: frozen values that are handed in, with the argument for each default.

What one call can take, from its first line to its last:

    |<------------------------------ time_s_max ------------------------------->|
    | turn | attempt | backoff | turn | attempt | ...       the last is cut short
           |<------->|
            attempt_s_max: pool, TCP, TLS, request, headers, body
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step of one attempt may take."""

    # A process has at most as many calls under way as it has threads, far fewer than connections.
    pool_s: float = 3.0
    # Asked twice, for TCP and for TLS. Who does not shake hands in three seconds is down.
    connect_s: float = 3.0
    write_s: float = 3.0  # A request is a few hundred bytes.
    # To the headers, and between two pieces of the body. Dexcom computes thirty days before the first byte;
    # what takes longer than this takes longer than thirty seconds as often as not (observed).
    read_s: float = 15.0

    @property
    def body_by_s(self) -> float:
        """When the last piece of the body must have begun to arrive, counted from the start."""
        return self.pool_s + 2 * self.connect_s + self.write_s + self.read_s

    @property
    def attempt_s_max(self) -> float:
        """How long one attempt can take."""
        # As far as timeouts reach: a resolver that hangs, or a peer that sends its headers letter by letter,
        # is out of httpx's hands. Lambda's own timeout is what stops those.
        return self.body_by_s + self.read_s

    def within(self, time_s: float) -> Timeouts:
        """The same, all shortened alike if that is what it takes to end in time."""
        share = min(1.0, time_s / self.attempt_s_max)
        return Timeouts(
            *(step_s * share for step_s in (self.pool_s, self.connect_s, self.write_s, self.read_s))
        )

    def as_extension(self) -> dict[str, float]:
        """In httpx's words."""
        return {
            "pool": self.pool_s,
            "connect": self.connect_s,
            "write": self.write_s,
            "read": self.read_s,
        }


# Exponential backoff with full jitter, and Retry-After before it.
# How long to wait before the next attempt.
#
# Rule 1: who fails together must not come back together: any wait up to the limit is as likely as any other
#         ("full jitter"), and the limit doubles with every attempt.
# Rule 2: what Dexcom asks for in Retry-After is waited exactly, or not at all: never less.
#
#     attempt     1         2             3                   4
#     limit       0.5       1.0           2.0                 4.0 ... wait_s_max
#                 |-|       |---|         |-------|           |---------------|
#                 a random point of each


_DOUBLINGS_MAX = 60  # Beyond it the power is only a large number.


@dataclass(frozen=True, slots=True)
class Backoff:
    """The waits between the attempts of one call."""

    # A dropped connection is worth trying again at once; half a second is at once.
    first_s: float = 0.5
    wait_s_max: float = 8.0
    # A worker that sleeps costs money and holds a lease; what takes longer goes back to the queue.
    asked_s_max: float = 10.0

    def wait_s(self, attempt: int, jitter: float, asked_s: float | None = None) -> float | None:
        """The wait after that many attempts; None if waiting is not for us, but for the queue."""
        assert attempt >= 1  # noqa: S101 - only a bug could break it.
        assert 0.0 <= jitter < 1.0  # noqa: S101 - likewise.
        if asked_s is not None:
            return asked_s if asked_s <= self.asked_s_max else None
        doubled_s: float = self.first_s * 2 ** min(attempt - 1, _DOUBLINGS_MAX)
        return jitter * min(self.wait_s_max, doubled_s)


@dataclass(frozen=True, slots=True)
class Policy:
    """How one call is made, and made again."""

    timeouts: Timeouts = Timeouts()
    backoff: Backoff = field(default_factory=Backoff)
    # An hour's worth of maintenance is for the queue to sit out; three attempts outlast a hiccup.
    attempts_max: int = 3
    # One call, everything included.  A sync allows a minute for a window of history, and storing
    # it takes some of that; the synchronous API has 29 s, and says so through the caller's time.
    time_s_max: float = 50.0
    # With less time than this a good answer would be cut off as often as a bad one.
    attempt_s_min: float = 5.0
    # Ten thousand readings are 5 MB. A person with 1,000 a day has 15 MB in thirty days.
    answer_bytes_max: int = 32 * 1024 * 1024
