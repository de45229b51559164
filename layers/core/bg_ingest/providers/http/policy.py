# The time of one call:
#
#     |<------------------------------- time_s_max -------------------------------->|
#     | wait for admission | attempt | backoff | wait for admission | attempt | ...
#                          |<------->|
#                           attempt_s_max: pool, TCP, TLS, request, headers, body
#
# Rule 1: If less than `attempt_s_min` is left, then no attempt begins.
# Rule 2: If less than `attempt_s_max` is left for a GET, then all its timeouts are shortened alike.
# Rule 3: A call that cannot be repeated begins only with time for a whole attempt and `store_s` to store its
#         answer. Its timeouts are never shortened: an answer that is cut off is lost.
#
# The wait before a retry (exponential backoff with full jitter, RFC 9110 Retry-After):
#
# Rule 4: If the provider sent Retry-After, then exactly that time is waited.
#         If it is longer than `asked_s_max`, then the call fails at once, and the job goes back to the queue.
# Rule 5: If it sent none, then the wait is random between 0 and a limit that doubles with every attempt.
#         Callers that fail together therefore do not retry together.
#
#     attempt     1         2             3                   4
#     limit       0.5       1.0           2.0                 4.0 ... wait_s_max
#                 |-|       |---|         |-------|           |---------------|
#                 the wait is a random point of this span
"""Timeouts and retry limits of a call, with the reason for each default."""

from __future__ import annotations

from dataclasses import dataclass

_DOUBLINGS_MAX = 60  # Keeps the power within the range of a float.


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step of one attempt may take."""

    # The connection pool is larger than the number of threads, so a free connection is always there.
    pool_s: float = 3.0
    # Applies twice, to TCP and to TLS. No handshake within 3 s: treat the host as down.
    connect_s: float = 3.0
    write_s: float = 3.0  # A request is a few hundred bytes.
    # To the headers, and between two pieces of the body. A provider may compute thirty days of data before
    # the first byte. A response that takes longer than 15 s often takes longer than 30 s (observed).
    read_s: float = 15.0

    @property
    def body_by_s(self) -> float:
        """When the last piece of the body must begin to arrive, from the start of the attempt."""
        return self.pool_s + 2 * self.connect_s + self.write_s + self.read_s

    @property
    def attempt_s_max(self) -> float:
        """How long one attempt can take."""
        # httpx cannot stop a resolver that hangs, or a host that sends its headers byte by byte. Lambda's
        # own timeout stops those.
        return self.body_by_s + self.read_s

    def within(self, time_s: float) -> Timeouts:
        """The same timeouts, all shortened by the same factor if the attempt has less time."""
        share = min(1.0, time_s / self.attempt_s_max)
        return Timeouts(
            *(step_s * share for step_s in (self.pool_s, self.connect_s, self.write_s, self.read_s))
        )

    def as_extension(self) -> dict[str, float]:
        """The timeouts as an extension of an httpx request."""
        return {
            "pool": self.pool_s,
            "connect": self.connect_s,
            "write": self.write_s,
            "read": self.read_s,
        }


@dataclass(frozen=True, slots=True)
class Backoff:
    """The wait between two attempts of one call."""

    # A broken connection can be replaced at once.
    first_s: float = 0.5
    wait_s_max: float = 8.0
    # A waiting worker costs money and holds a lease. The queue handles longer waits.
    asked_s_max: float = 10.0

    def wait_s(self, attempt: int, jitter: float, asked_s: float | None = None) -> float | None:
        """The wait after this attempt, from 1; None if the call should fail instead of waiting."""
        assert attempt >= 1  # noqa: S101 - attempts are counted from 1.
        assert 0.0 <= jitter < 1.0  # noqa: S101 - the jitter is a share of the limit.
        if asked_s is not None:
            return asked_s if asked_s <= self.asked_s_max else None
        doubled_s: float = self.first_s * 2 ** min(attempt - 1, _DOUBLINGS_MAX)
        return jitter * min(self.wait_s_max, doubled_s)


@dataclass(frozen=True, slots=True)
class Policy:
    """Timeouts and retry limits of a call."""

    timeouts: Timeouts = Timeouts()
    backoff: Backoff = Backoff()
    # Long outages are handled by requeueing; three attempts cover brief ones.
    attempts_max: int = 3
    # One call with all its waits. A sync plans one minute per window of history, with the time to store it.
    # The synchronous API has 29 s and passes its limit as the caller's time.
    time_s_max: float = 50.0
    # An attempt with less time would often be cut off before a complete response.
    attempt_s_min: float = 5.0
    # What the caller needs after the answer to a call that cannot be repeated. One write takes milliseconds,
    # and its first retry after a lost connection begins after 7 s.
    store_s: float = 10.0
    # 10,000 readings are 5 MB. A user with 1,000 readings a day has 15 MB in thirty days.
    answer_bytes_max: int = 32 * 1024 * 1024

    @property
    def single_s_min(self) -> float:
        """The caller's time that a call needs if it cannot be repeated."""
        return self.timeouts.attempt_s_max + self.store_s
