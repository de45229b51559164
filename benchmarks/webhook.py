"""H3: from an accepted webhook until its reading is the latest, on the emulated AWS."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.measured import Measured
from bg_ingest.clock import SystemClock
from local.cloud import Cloud, Options
from local.paths import StateFolder
from local.ports import free_port
from local.progress import Progress
from local.waiting import wait_until
from local.webhook_sender import one_reading, signed_headers

if TYPE_CHECKING:
    from local.stack import Stack

SECTION = "A webhook until its reading is the latest, on the emulated AWS"
BUDGET_S = 5
_PATIENCE_S = 60.0


def measured(repeats: int) -> list[Measured]:
    """Send one webhook after the other, while the demo user is polled every minute."""
    with tempfile.TemporaryDirectory(prefix="bg-ingest-") as folder:
        options = Options(
            port=free_port(), parameters={"BackfillDaysMax": "2", "WebhooksPerMinuteMax": "10000"}
        )
        cloud = Cloud(StateFolder(Path(folder)), options, Progress(None))
        try:
            stack = cloud.start()
            with httpx.Client(base_url=stack.api, timeout=60, trust_env=False) as client:
                _once(stack, client, 0)  # The first one finds no running process of either function.
                runs = [_once(stack, client, number) for number in range(1, repeats + 1)]
        finally:
            cloud.end()
    accepting_s, readable_s = zip(*runs, strict=True)
    return [
        Measured(SECTION, "answered, median", statistics.median(accepting_s) * 1000, "ms"),
        Measured(SECTION, "answered until readable, median", statistics.median(readable_s), "s", BUDGET_S),
        Measured(SECTION, f"the slowest of {repeats}", max(readable_s), "s", BUDGET_S),
    ]


def _once(stack: Stack, client: httpx.Client, number: int) -> tuple[float, float]:
    """Return the time until the answer, and from the answer until the reading is readable."""
    # Later than every reading of the polls, each a second further; a later one would not be the latest.
    now = SystemClock().now()
    at, value = now + timedelta(minutes=2, seconds=number), 100 + number
    body = json.dumps(one_reading(at, value)).encode()
    headers = signed_headers(stack.webhook_secret, f"msg_benchmark_{number}", body, now)
    mine = f"/api/bg/{stack.demo_user_id}"
    reader = {"Authorization": f"Bearer {stack.demo_token}"}
    began_s = time.perf_counter()
    answer = client.post(f"{mine}/webhook", content=body, headers=headers)
    answered_s = time.perf_counter()
    if answer.status_code != httpx.codes.ACCEPTED:
        raise RuntimeError(f"the benchmark's own webhook was answered with {answer.status_code}")

    def is_readable() -> bool:
        return bool(client.get(f"{mine}/latest", headers=reader).json().get("glucose_mg_dl") == value)

    if not wait_until(is_readable, _PATIENCE_S):
        raise RuntimeError("the benchmark's own webhook never became readable")
    return answered_s - began_s, time.perf_counter() - answered_s
