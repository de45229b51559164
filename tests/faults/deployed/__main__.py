"""
`python -m tests.faults.deployed` injects faults into the deployed stack and checks all data after each.

With words only the faults whose names contain one of them are injected, and no report is written.
"""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

from bg_ingest.clock import SystemClock
from local.cloud import Cloud, Options
from local.errors import CannotStart
from local.function_logs import save_function_lines
from local.paths import CHECKOUT, StateFolder
from local.ports import free_port
from local.rabbitmq import server as rabbitmq
from local.waiting import wait_until
from tests.faults.deployed import fault_report, injection
from tests.faults.deployed.connected_users import ConnectedUsers
from tests.faults.deployed.deployed_stack import DeployedStack
from tests.faults.deployed.listening import Listener
from tests.faults.deployed.served_site import serving
from tests.faults.deployed.throttling import ThrottlingProxy, route_through
from tests.support.scratch import in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    Fault = Callable[[DeployedStack], str]

FAULTS: dict[str, Fault] = {
    "workers killed": injection.workers_killed,
    "DynamoDB throttles": injection.tables_throttled,
    "the provider's clock steps": injection.clock_steps,
    "the providers are down": injection.providers_down,
    "only Dexcom is down": injection.dexcom_down,
    "the Nightscouts fail": injection.own_servers_fail,
    "the items of breaker and quota throttle": injection.shared_items_throttled,
    "the queue of callers is full": injection.interactive_queue_full,
    "the queue of polls is full": injection.polls_queue_full,
    "the queue of histories is full": injection.bulk_queue_full,
}
NEEDS_BROKER: dict[str, Fault] = {"RabbitMQ is gone": injection.broker_gone}
_HISTORY_DAYS = 3
_PATIENCE_S = 600.0
# Instead of 720 s, to shorten the run; longer than the lease, as in the template.
_VISIBILITY_S = 160
# Instead of 10: on Lambda each worker has a processor's share of its own, here all share two processors.
_POLLS_CONCURRENCY = 3
_LOG = CHECKOUT / ".local" / "faults-functions.log"


def main() -> int:
    """Start the stack, inject the faults, write the report."""
    words = sys.argv[1:]
    # A signal ends this process in a way that also ends all processes it started.
    signal.signal(signal.SIGTERM, _as_exit)
    clock, lacking = SystemClock(), rabbitmq.missing()
    began_s, outcomes = clock.monotonic_s(), []
    with ExitStack() as running:
        try:
            stage = _started(running, with_broker=lacking is None)
            every = FAULTS | ({} if lacking else NEEDS_BROKER)
            chosen = {name: fault for name, fault in every.items() if not words or _has(name, words)}
            if "workers killed" not in chosen:  # That fault connects the users.
                injection.connect_all_users(stage)
            for name, fault in chosen.items():
                outcomes.append(_outcome_of(stage, name, fault))
                clean = "clean" if outcomes[-1].is_clean else "NOT CLEAN"
                print(f"  {clean}: {', '.join(outcomes[-1].cells())}", flush=True)
        except CannotStart as it:
            print(it, file=sys.stderr)
            return 1
        readings = stage.people.readings()
    took_s = clock.monotonic_s() - began_s
    text = fault_report.report(
        outcomes,
        dexcom=len(stage.people.at_dexcom),
        both=len(stage.people.with_both),
        own_sites=len(stage.own_sites),
        readings=readings,
        took_s=took_s,
        visibility_s=_VISIBILITY_S,
        polls_concurrency=_POLLS_CONCURRENCY,
        lacking=lacking,
    )
    print(text)
    if not words:
        (CHECKOUT / "benchmarks" / "FAULTS.md").write_text(text)
    return 0 if all(outcome.is_clean for outcome in outcomes) else 1


def _has(name: str, words: list[str]) -> bool:
    return any(word in name for word in words)


def _started(running: ExitStack, *, with_broker: bool) -> DeployedStack:
    """Start everything; closing `running` ends it."""
    folder = Path(running.enter_context(TemporaryDirectory(prefix="bg-ingest-faults-")))
    broker = running.enter_context(rabbitmq.running()) if with_broker else None
    listener = Listener(broker) if broker else None
    limits = dict.fromkeys(
        ("ConnectionsPerHourMax", "SyncsPerMinuteMax"), "10000"
    )  # One caller for all users.
    options = Options(
        port=free_port(),
        enforce_iam=True,
        simulator_arguments=("--upload-delay-seconds", "0", "--people", str(injection.PEOPLE)),
        parameters={
            "BackfillDaysMax": str(_HISTORY_DAYS),
            "PollsConcurrency": str(_POLLS_CONCURRENCY),
            **limits,
            **({"RabbitMqUrl": broker.url} if broker else {}),
        },
    )
    cloud = Cloud(StateFolder(folder, running.enter_context(in_memory())), options)
    stack = cloud.start()
    running.callback(cloud.end)
    proxy = running.enter_context(ThrottlingProxy(stack.emulator.endpoint))
    people = ConnectedUsers(stack)
    running.callback(people.close)
    (emulator_pid,) = (process.pid for process in cloud.processes.all() if process.name == "emulator")
    sites = [
        running.enter_context(serving(seed + 1, history_days=_HISTORY_DAYS, sensor=seed >= injection.RELAYS))
        for seed in range(injection.RELAYS + injection.OWN_SITES)
    ]
    relays, own_sites = sites[: injection.RELAYS], sites[injection.RELAYS :]
    stage = DeployedStack(stack, emulator_pid, people, proxy, listener, relays, own_sites)
    _LOG.parent.mkdir(exist_ok=True)
    running.callback(save_function_lines, stack.emulator, _LOG)
    stage.set_visibility(_VISIBILITY_S)
    # The functions' processes restart here, which must not interrupt an order.
    if not wait_until(stage.is_idle, _PATIENCE_S):
        raise CannotStart("The demo user's polls do not end.")
    route_through(stack.emulator, proxy.endpoint)
    stage.move_clock(injection.BEHIND_HOURS)
    return stage


def _outcome_of(stage: DeployedStack, name: str, fault: Fault) -> fault_report.Outcome:
    """Inject one fault, and wait until the stack has recovered."""
    clock = SystemClock()
    stage.reset_calls()
    began_s = clock.monotonic_s()
    what: str | None = None
    try:
        what = fault(stage)
    except injection.Missed as missed:
        print(f"{name}: {missed}", file=sys.stderr)
    lasted_s, calls = clock.monotonic_s() - began_s, stage.calls()
    stage.remove_faults()
    due, left = stage.people.due(), list(stage.people.all_users)

    def is_over() -> bool:
        while left and not stage.flaws(left[-1], due):
            left.pop()
        return not left and stage.is_idle()

    recovered_after_s = clock.monotonic_s() - began_s - lasted_s if wait_until(is_over, _PATIENCE_S) else None
    # All users again, at the same time. Only a lease that is held when no order is left counts: polls run
    # meanwhile.
    flawed = stage.flawed(due)
    for user_id, wrong in flawed.items():
        print(f"{name}: {user_id}: {', '.join(wrong)}", file=sys.stderr)
    held = 0 if wait_until(stage.is_idle, _PATIENCE_S) else stage.leases()
    return fault_report.Outcome(name, what, lasted_s, recovered_after_s, calls, stage.dead(), held, flawed)


def _as_exit(_number: int, _frame: object) -> NoReturn:
    sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
