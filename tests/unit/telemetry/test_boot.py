"""What shortens a cold start, in processes of their own: it changes what a process has loaded."""

from __future__ import annotations

import subprocess
import sys

from local.paths import CORE


def run(code: str) -> str:
    """What a new process prints."""
    ran = subprocess.run(  # noqa: S603 - code of this test.
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(CORE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


_IN_LAMBDA = "import sys, types; sys.modules['awslambdaric'] = types.ModuleType('awslambdaric')\n"


def test_the_collector_pauses_until_the_first_answer() -> None:
    """Its objects so far are then set aside; outside of Lambda there is no pause."""
    code = "import gc\nfrom bg_ingest.telemetry import boot\nprint(gc.isenabled(), gc.get_freeze_count())\n"
    after = "boot.resume_collection(); print(gc.isenabled(), gc.get_freeze_count() > 1000)"

    assert run(_IN_LAMBDA + code + after).splitlines() == ["False 0", "True True"]
    assert run(code) == "True 0"


def test_asyncio_is_loaded_at_its_first_use() -> None:
    """It works as if it had been loaded at once."""
    head = _IN_LAMBDA + "import bg_ingest.telemetry.boot, asyncio, asyncio as again\n"
    loaded = "print('asyncio.base_events' in sys.modules)\n"
    uses = (
        "async def f(): await asyncio.sleep(0); return 1\nprint(asyncio.run(f()))",
        "from asyncio import run\nasync def f(): return 1\nprint(run(f()))",
        "import httpx, anyio\nasync def f(): return 1\nprint(anyio.run(f))",
    )

    assert run(head + loaded) == "False"
    for use in uses:
        assert run(head + use) == "1"
