"""The injected faults, one function each, which returns a description of its effect.

A function raises Missed if its fault had no effect. The caller ends the fault with
`DeployedStack.remove_faults`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from bg_ingest.clock import SystemClock, new_id
from bg_ingest.sync.job import JobKind, Order, Trigger
from local.waiting import wait_until
from tests.faults.deployed.served_site import FAULTS as SITE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.deployed.deployed_stack import DeployedStack

# Number 7 is the demo user and is already connected. Every eighth account is a receiver that uploads once in
# some days. Such an account is polled once an hour, which is longer than the timeouts here.
PEOPLE = 32
# Users with a Nightscout beside Dexcom, and users with a Nightscout only.
RELAYS, OWN_SITES = 4, 4
_NEW = [f"SandboxUser{it}" for it in range(1, PEOPLE + 1) if it != 7 and it % 8 != 4]
# The delay of an answer while workers are killed; the client's timeout is 15 s.
_HANGS_S = 10.0
_CAUGHT_MIN = 3
# A call is tried three times, so one in sixteen fails. A sync makes ten calls, so every second sync fails.
_REFUSED_SHARE = 0.4
_FAILED_MIN = 8
# Longer than the interval, so every user is polled in it.
_OUTAGE_S = 75.0
_OUTAGE_HOURS = 6
# The edited entry, counted from the newest one: a poll fetches it again.
_EDITED_NEWEST = 2
# A poll that succeeds later than this has begun afterwards.
_FETCH_S_MAX = 15.0
# Forward beyond the life of an access token, back before the start, and to the start again.
_STEPS_HOURS = (3, -4, 1)
# The provider's clock starts this far back, so the outage ends in the present.
BEHIND_HOURS = -_OUTAGE_HOURS
_PATIENCE_S = 180.0


# The shared items are throttled for so long.
_SHARED_S = 300.0
_SHARED_KEYS = ("app#breaker", "app#quota")
# Orders in a full queue. Those of callers each cost a call, so fewer are enough.
_BULK_ORDERS, _POLL_ORDERS, _CALLER_ORDERS = 5_000, 5_000, 600
# Of a minute: the tick has sent the polls of every user by then.
_TICK_IS_OVER_S = 15
_PUSHES = 8
_READABLE_S_MAX = 5.0


class Missed(Exception):
    """A fault had no effect, so the checks after it would show nothing."""


def connect_all_users(stage: DeployedStack) -> None:
    """Connect the users that the first fault would connect, and wait for their histories."""
    _connect(stage)
    _wait_for(lambda: not stage.people.unfinished())


def _connect(stage: DeployedStack) -> None:
    stage.people.connect(_NEW, stage.relays, stage.own_sites)


def workers_killed(stage: DeployedStack) -> str:
    """Kill the worker processes during backfills while the providers answer slowly and users connect."""
    slow = stage.add_fault("slow_headers", wait_s=_HANGS_S, path="/v3/users/self/egvs")
    for site in stage.sites:
        site.fail(kind="slow", wait_s=_HANGS_S / 2, path="/api/v1/entries/*")
    killed = unfinished = 0
    with ThreadPoolExecutor(1) as connecting:
        connected = connecting.submit(_connect, stage)
        # A killed worker's messages stay hidden for as long as this takes, so none is delivered too often.
        while not connected.done():
            enough = stage.affected(slow) + _CAUGHT_MIN
            _wait_for(lambda enough=enough: connected.done() or stage.affected(slow) >= enough)  # type: ignore[misc]  # Bound in this iteration.
            killed += stage.kill_workers()
            unfinished = max(unfinished, stage.people.unfinished())
        connected.result()
    if not killed or not unfinished:
        raise Missed("no backfill was interrupted")
    histories = len(_NEW) + len(stage.sites)
    return f"{killed} processes killed, up to {unfinished} of {histories} histories unfinished"


def tables_throttled(stage: DeployedStack) -> str:
    """Throttle a share of all DynamoDB calls while every user is synced and every token must be refreshed."""
    proxy, failed = stage.proxy, stage.count_in_log("order failed")
    asked, refused = proxy.asked, proxy.refused
    for person in stage.people.at_dexcom:
        stage.add_fault("access_token_expired", user=person.account)
    proxy.rate = _REFUSED_SHARE
    promised = stage.people.ask_for_syncs()
    _wait_for(lambda: stage.count_in_log("order failed") >= failed + _FAILED_MIN)
    failed = stage.count_in_log("order failed") - failed
    effect = f"{proxy.refused - refused:,} of {proxy.asked - asked:,} calls refused"
    return f"{effect}, {failed} orders failed, {promised} syncs promised"


def clock_steps(stage: DeployedStack) -> str:
    """Move the provider's clock beyond its tokens' life and back; sync every user after each step."""
    for hours in _STEPS_HOURS:
        stage.move_clock(hours)
        stage.people.ask_for_syncs()
        wait_until(stage.is_idle, _PATIENCE_S)  # The flaws are checked after the fault.
    return ", ".join(f"{hours:+} h" for hours in _STEPS_HOURS)


def providers_down(stage: DeployedStack) -> str:
    """Let all providers answer 503, and move Dexcom's clock by six hours before it recovers."""
    down = stage.add_fault("status", status=503)
    called = [site.calls() for site in stage.sites]
    for site in stage.sites:
        site.fail(kind="status", status=503)
    promised = stage.people.ask_for_syncs()
    stage.move_clock(_OUTAGE_HOURS)
    SystemClock().sleep(_OUTAGE_S)
    if not stage.affected(down) or called == [site.calls() for site in stage.sites]:
        raise Missed("no process called")
    return f"{_OUTAGE_HOURS} h by Dexcom's clock, {promised} syncs promised"


def dexcom_down(stage: DeployedStack) -> str:
    """Let Dexcom answer 503; users with a Nightscout as well have their new readings from there."""
    stage.add_fault("status", status=503)
    both = stage.people.with_both
    relayed = {person: stage.people.relay_measurement(person) for person in both}
    began = SystemClock().now()
    _wait_for(lambda: all(stage.people.serves(person, at) for person, at in relayed.items()))
    waited_s = (SystemClock().now() - began).total_seconds()
    return f"{len(both)} measurements relayed, served from the Nightscouts within {waited_s:.0f} s"


def own_servers_fail(stage: DeployedStack) -> str:
    """Let each Nightscout fail in a way of its own, while its entries are edited and deleted."""
    for person in stage.people.with_both:
        stage.people.relay(person)
    # An entry that is edited before its first fetch is another measurement: Dexcom has another value.
    fetched = SystemClock().now() + timedelta(seconds=_FETCH_S_MAX)
    sources = len(stage.people.at_dexcom) + len(stage.sites)
    _wait_for(lambda: stage.people.polled_since(fetched) >= sources)
    began, called = SystemClock().now(), [site.calls() for site in stage.sites]
    for number, site in enumerate(stage.sites):
        site.fail(**SITE_FAULTS[number % len(SITE_FAULTS)])
    for site in stage.sites:
        site.edit_and_delete(_EDITED_NEWEST)
    SystemClock().sleep(_OUTAGE_S)
    if any(site.calls() <= before for site, before in zip(stage.sites, called, strict=True)):
        raise Missed("a Nightscout was not called")
    polled = stage.people.polled_since(began)
    if polled < len(stage.people.at_dexcom):
        raise Missed(f"only {polled} users were polled at Dexcom meanwhile")
    ways = (
        f"{len(stage.sites)} Nightscouts in {len(SITE_FAULTS)} ways, an entry of each edited, another deleted"
    )
    return f"{ways}; {polled} sources polled meanwhile"


def shared_items_throttled(stage: DeployedStack) -> str:
    """Throttle every call about the items of the circuit breaker and of the quota, for five minutes."""
    refused = stage.proxy.refused
    stage.proxy.keys = _SHARED_KEYS
    promised = stage.people.ask_for_syncs()
    since, waited_s = SystemClock().now() + timedelta(seconds=_SHARED_S / 2), 0.0
    while waited_s < _SHARED_S:
        SystemClock().sleep(_OUTAGE_S)
        waited_s += _OUTAGE_S
    polled = stage.people.polled_since(since)
    if stage.proxy.refused == refused:
        raise Missed("no call was refused")
    if not polled:
        raise Missed("no user was polled meanwhile")
    refused = stage.proxy.refused - refused
    return f"{refused:,} calls refused, {promised} syncs promised, {polled} sources polled in the second half"


def bulk_queue_full(stage: DeployedStack) -> str:
    """Send webhooks while thousands of reconciliations wait."""
    return _pushed_with_full_queue(stage, "BulkQueue", JobKind.RECONCILE, _BULK_ORDERS)


def polls_queue_full(stage: DeployedStack) -> str:
    """Send webhooks while thousands of polls wait."""
    return _pushed_with_full_queue(stage, "PollsQueue", JobKind.INCREMENTAL, _POLL_ORDERS)


def interactive_queue_full(stage: DeployedStack) -> str:
    """Let hundreds of syncs of callers wait; polls continue beside them."""
    clock = SystemClock()
    clock.sleep(60 - clock.now().second)
    stage.fill("JobsQueue", lambda user_id: _order(user_id, JobKind.INCREMENTAL, Trigger.API), _CALLER_ORDERS)
    clock.sleep(max(0, _TICK_IS_OVER_S - clock.now().second))
    began_s = clock.monotonic_s()
    _wait_for(lambda: not stage.waiting("PollsQueue"))
    waiting = stage.waiting("JobsQueue")
    if not waiting:
        raise Missed("the queue was empty before the polls were carried out")
    polled_s = _TICK_IS_OVER_S + clock.monotonic_s() - began_s
    done = f"the polls of a tick were done ({polled_s:.0f} s)"
    return f"{_CALLER_ORDERS} orders, {waiting} still waiting when {done}"


def _pushed_with_full_queue(stage: DeployedStack, queue: str, kind: JobKind, count: int) -> str:
    *pushed, other = stage.people.at_dexcom[: _PUSHES + 1]
    alone_s = stage.people.push(other)  # The machine's own share, with nothing in the queue.
    readable_s, waiting = [], []
    for person in pushed:
        # Polls that a later sync has made pointless are done in milliseconds, so the queue is filled again.
        left = count - stage.waiting(queue)
        stage.fill(queue, lambda user_id: _order(user_id, kind, Trigger.SCHEDULE), left)
        readable_s.append(stage.people.push(person))
        waiting.append(stage.waiting(queue))
    stage.empty(queue)
    if not min(waiting):
        raise Missed("the queue was empty before a webhook was stored")
    alone = f"{alone_s:.1f} s with an empty queue"
    if max(readable_s) > _READABLE_S_MAX:
        raise Missed(f"a webhook was readable after {max(readable_s):.1f} s, {alone}")
    times = f"{min(readable_s):.1f} to {max(readable_s):.1f} s"
    webhooks = f"{len(readable_s)} webhooks readable after {times}, {alone}"
    return f"{count:,} orders before each webhook, at least {min(waiting):,} after it; {webhooks}"


def _order(user_id: str, kind: JobKind, trigger: Trigger) -> Order:
    return Order(user_id, new_id(SystemClock().now()), kind, trigger, "full-queue")


def broker_gone(stage: DeployedStack) -> str:
    """Stop RabbitMQ, add a reading of every user, which is stored and served, and start RabbitMQ again."""
    assert stage.listener is not None
    failed = stage.failed_publishes()
    stage.listener.broker.stop()
    try:
        planted = stage.people.plant()
        due = stage.people.due()
        stage.people.ask_for_syncs()
        _wait_for(lambda: not stage.people.flawed(due))
        _wait_for(lambda: stage.failed_publishes() > failed)
    finally:
        stage.listener.broker.start()
    return f"{planted} readings stored and served meanwhile"


def _wait_for(strikes: Callable[[], bool]) -> None:
    if not wait_until(strikes, _PATIENCE_S):
        raise Missed(f"not within {_PATIENCE_S:.0f} s")
