"""
The faults, one function each: it strikes, lasts, and says what it did; Missed if it did nothing.

Who called it ends it, by `Stage.calm`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.clock import SystemClock
from local.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.deployed.stage import Stage

# Number 7 is the demo user, and is connected already. Every eighth is a receiver, which uploads once in some
# days; who is as silent as that is polled once an hour, which is longer than anybody waits here.
PEOPLE = 32
_NEW = [f"SandboxUser{it}" for it in range(1, PEOPLE + 1) if it != 7 and it % 8 != 4]
# A history's answer takes so long while workers are killed; the client would wait for 15 s.
_HANGS_S = 10.0
_KILLED_ROUNDS = 2
_CAUGHT_MIN = 3
# Botocore tries three times, so one call in forty fails, and of the syncs, which make ten, every fourth.
_REFUSED_SHARE = 0.3
_FAILED_MIN = 8
# Longer than the interval, so that everybody is polled in it.
_OUTAGE_S = 75.0
_OUTAGE_HOURS = 6
# Forth beyond what an access token lives, back behind where it was, and home again.
_STEPS_HOURS = (3, -4, 1)
# Where the provider's clock is at first, so that the end of the outage is the present.
BEHIND_HOURS = -_OUTAGE_HOURS
_PATIENCE_S = 180.0


class Missed(Exception):
    """A fault did not strike, so that nothing is shown by what comes after it."""


def workers_killed(stage: Stage) -> str:
    """The processes that fetch histories are killed while the provider takes its time to answer."""
    slow = stage.order("slow_headers", wait_s=_HANGS_S, path="/v3/users/self/egvs")
    stage.people.connect(_NEW)
    killed = 0
    for _ in range(_KILLED_ROUNDS):
        enough = stage.struck(slow) + _CAUGHT_MIN
        _wait_for(lambda enough=enough: stage.struck(slow) >= enough)  # type: ignore[misc]  # Bound at once.
        killed += stage.kill_workers()
    unfinished = stage.people.unfinished()
    if not killed or not unfinished:
        raise Missed("nobody's history was cut off")
    return f"{killed} processes killed, {unfinished} histories of {len(_NEW)} unfinished"


def tables_throttled(stage: Stage) -> str:
    """DynamoDB refuses a share of all calls while everybody is synced and every token has to be refreshed."""
    proxy, failed = stage.proxy, stage.says("order failed")
    asked, refused = proxy.asked, proxy.refused
    for person in stage.people.everybody:
        stage.order("access_token_expired", user=person.simulated)
    proxy.rate = _REFUSED_SHARE
    promised = stage.people.ask_for_syncs()
    _wait_for(lambda: stage.says("order failed") >= failed + _FAILED_MIN)
    failed = stage.says("order failed") - failed
    told = f"{proxy.refused - refused:,} of {proxy.asked - asked:,} calls refused"
    return f"{told}, {failed} orders failed, {promised} syncs promised"


def clock_steps(stage: Stage) -> str:
    """The provider's clock goes forth, beyond the life of its tokens, and back; all are synced each time."""
    for hours in _STEPS_HOURS:
        stage.move_clock(hours)
        stage.people.ask_for_syncs()
        wait_until(stage.is_idle, _PATIENCE_S)  # Whether all is done is judged afterwards.
    return ", ".join(f"{hours:+} h" for hours in _STEPS_HOURS)


def provider_down(stage: Stage) -> str:
    """Everything is answered 503, and six hours later by its own clock the provider is there again."""
    down = stage.order("status", status=503)
    promised = stage.people.ask_for_syncs()
    stage.move_clock(_OUTAGE_HOURS)
    SystemClock().sleep(_OUTAGE_S)
    if not stage.struck(down):
        raise Missed("nobody called")
    return f"{_OUTAGE_HOURS} h by its clock, {promised} syncs promised"


def broker_gone(stage: Stage) -> str:
    """RabbitMQ is stopped, everybody gets a reading that is served nevertheless, and it is started again."""
    assert stage.listener is not None
    vain = stage.vain_publishes()
    stage.listener.broker.stop()
    try:
        planted = stage.people.plant()
        due = stage.people.now_there() + timedelta(seconds=1)
        stage.people.ask_for_syncs()
        _wait_for(lambda: not stage.people.flawed(due))
        _wait_for(lambda: stage.vain_publishes() > vain)
    finally:
        stage.listener.broker.start()
    return f"{planted} readings stored and served meanwhile"


def _wait_for(strikes: Callable[[], bool]) -> None:
    if not wait_until(strikes, _PATIENCE_S):
        raise Missed(f"not within {_PATIENCE_S:.0f} s")
