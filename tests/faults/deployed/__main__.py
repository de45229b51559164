"""`python -m tests.faults.deployed`: faults strike the deployed stack; after each, all have to be whole."""

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
from tests.faults.deployed import told, trouble
from tests.faults.deployed.listening import Listener
from tests.faults.deployed.people import People
from tests.faults.deployed.stage import Stage
from tests.faults.deployed.throttling import ThrottlingProxy, lead_through
from tests.support.scratch import in_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    Fault = Callable[[Stage], str]

FAULTS: dict[str, Fault] = {
    "workers killed": trouble.workers_killed,
    "DynamoDB throttles": trouble.tables_throttled,
    "the provider's clock steps": trouble.clock_steps,
    "the provider is down": trouble.provider_down,
}
NEEDS_BROKER: dict[str, Fault] = {"RabbitMQ is gone": trouble.broker_gone}
_HISTORY_DAYS = 3
_PATIENCE_S = 600.0
# Instead of 720 s, for which nobody here would wait; longer than the lease, as the template's own.
_VISIBILITY_S = 160
_LOG = CHECKOUT / ".local" / "faults-functions.log"


def main() -> int:
    """Start, let the faults strike, tell."""
    # Whoever ends this by a signal wants everything ended that it has started.
    signal.signal(signal.SIGTERM, _as_exit)
    clock, lacking = SystemClock(), rabbitmq.missing()
    began_s, outcomes = clock.monotonic_s(), []
    with ExitStack() as running:
        try:
            stage = _set(running, with_broker=lacking is None)
            for name, fault in (FAULTS | ({} if lacking else NEEDS_BROKER)).items():
                outcomes.append(_struck(stage, name, fault))
                print(f"  {name}: {'clean' if outcomes[-1].is_clean else 'NOT CLEAN'}", flush=True)
        except CannotStart as it:
            print(it, file=sys.stderr)
            return 1
        readings = stage.people.readings()
    took_s = clock.monotonic_s() - began_s
    text = told.report(
        outcomes,
        people=len(stage.people.everybody),
        readings=readings,
        took_s=took_s,
        visibility_s=_VISIBILITY_S,
        lacking=lacking,
    )
    print(text)
    (CHECKOUT / "benchmarks" / "FAULTS.md").write_text(text)
    return 0 if all(outcome.is_clean for outcome in outcomes) else 1


def _set(running: ExitStack, *, with_broker: bool) -> Stage:
    """Start everything; it ends with `running`."""
    folder = Path(running.enter_context(TemporaryDirectory(prefix="bg-ingest-faults-")))
    broker = running.enter_context(rabbitmq.running()) if with_broker else None
    listener = Listener(broker) if broker else None
    limits = dict.fromkeys(
        ("ConnectionsPerHourMax", "SyncsPerMinuteMax"), "10000"
    )  # One caller for everybody.
    options = Options(
        port=free_port(),
        enforce_iam=True,
        simulator_arguments=("--upload-delay-seconds", "0", "--people", str(trouble.PEOPLE)),
        parameters={
            "BackfillDaysMax": str(_HISTORY_DAYS),
            **limits,
            **({"RabbitMqUrl": broker.url} if broker else {}),
        },
    )
    cloud = Cloud(StateFolder(folder, running.enter_context(in_memory())), options)
    stack = cloud.start()
    running.callback(cloud.end)
    proxy = running.enter_context(ThrottlingProxy(stack.emulator.endpoint))
    people = People(stack)
    running.callback(people.close)
    (emulator_pid,) = (process.pid for process in cloud.processes.all() if process.name == "emulator")
    stage = Stage(stack, emulator_pid, people, proxy, listener)
    _LOG.parent.mkdir(exist_ok=True)
    running.callback(save_function_lines, stack.emulator, _LOG)
    stack.emulator.client("sqs").set_queue_attributes(
        QueueUrl=stack.queue_url, Attributes={"VisibilityTimeout": str(_VISIBILITY_S)}
    )
    # Their processes start anew, and nobody's work is to be cut short by that.
    if not wait_until(stage.is_idle, _PATIENCE_S):
        raise CannotStart("The demo user's polls do not end.")
    lead_through(stack.emulator, proxy.endpoint)
    stage.move_clock(trouble.BEHIND_HOURS)
    return stage


def _struck(stage: Stage, name: str, fault: Fault) -> told.Outcome:
    """Let one fault strike, and wait until nothing is left of it."""
    clock = SystemClock()
    stage.forget_calls()
    began_s = clock.monotonic_s()
    what: str | None = None
    try:
        what = fault(stage)
    except trouble.Missed as missed:
        print(f"{name}: {missed}", file=sys.stderr)
    lasted_s, calls = clock.monotonic_s() - began_s, stage.calls()
    stage.calm()
    due, left = stage.people.now_there(), list(stage.people.everybody)

    def is_over() -> bool:
        while left and not stage.flaws(left[-1], due):
            left.pop()
        return not left and stage.is_idle()

    whole_after_s = clock.monotonic_s() - began_s - lasted_s if wait_until(is_over, _PATIENCE_S) else None
    # Once more and all at once. A lease counts that outlasts the orders: polls come and go meanwhile.
    flawed = stage.flawed(due)
    for user_id, wrong in flawed.items():
        print(f"{name}: {user_id}: {', '.join(wrong)}", file=sys.stderr)
    held = 0 if wait_until(stage.is_idle, _PATIENCE_S) else stage.leases()
    return told.Outcome(name, what, lasted_s, whole_after_s, calls, stage.dead(), held, flawed)


def _as_exit(_number: int, _frame: object) -> NoReturn:
    sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
