from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from bg_ingest import telemetry
from bg_ingest.clock import SystemClock
from tools.ways.__main__ import WAYS, Limit
from tools.ways.tracing import entered_files

ROOT = Path(__file__).parents[2]
HANDLERS = ("worker", "query", "webhook", "worker", "publish")


@pytest.fixture(scope="module")
def printed() -> str:
    """The output of the command. It runs once, in its own process, because handlers keep their wiring."""
    command = [sys.executable, "-m", "tools.ways", "--list"]
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own command.
    assert done.returncode in {0, 1}, done.stderr
    assert done.stderr == ""
    return done.stdout


def files_of(printed: str, way: str) -> list[str]:
    """The files that are listed for a way."""
    _, _, after = printed.partition(f"\n{way}:\n")
    return re.findall(r"^- (\S+)$", after.partition("\n\n")[0], re.MULTILINE)


def test_no_way_enters_more_files_than_before(printed: str) -> None:
    """A change after which a reader has to open more files to follow a request fails."""
    counts = {way: len(files_of(printed, way)) for way in WAYS}
    assert {way: count for way, count in counts.items() if count > WAYS[way].most} == {}


def test_the_decision_names_the_same_limits() -> None:
    """docs/decisions/tests.md has a row for each way, with its limit and its aim."""
    text = (ROOT / "docs/decisions/tests.md").read_text()
    rows = re.findall(r"^\| ([a-z, ]+) \| \d+ \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    assert {way: Limit(int(most), int(aim)) for way, most, aim in rows} == WAYS


def test_way_enters_its_handler_and_the_core(printed: str) -> None:
    """Each request reaches its own function and the tables, no other function and no telemetry."""
    rows = re.findall(r"^\| ([a-z, ]+) \| (\d+) \| (\d+) \| (\d+) \|$", printed, re.MULTILINE)
    assert [way for way, *_ in rows] == list(WAYS)
    for (way, count, most, aim), handler in zip(rows, HANDLERS, strict=True):
        files = files_of(printed, way)
        assert (int(count), Limit(int(most), int(aim))) == (len(files), WAYS[way])
        assert [name for name in files if name.startswith("functions/")] == [f"functions/{handler}/app.py"]
        assert "bg_ingest/dynamo.py" in files
        assert not [name for name in files if "telemetry" in name]


def test_functions_of_threads_count_and_telemetry_does_not() -> None:
    """A file is entered by a function that runs in any thread; telemetry and other packages are left out."""
    with entered_files() as files:
        telemetry.correlation_id()
        thread = Thread(target=SystemClock().now)
        thread.start()
        thread.join()
    assert files == {"bg_ingest/clock.py"}


def test_import_enters_no_file() -> None:
    """Code of a module and of a class body runs at import only, so it does not count."""
    code = compile("class A:\n    x = 1\ndef f():\n    pass\n", f"{ROOT}/functions/made/app.py", "exec")
    names: dict[str, object] = {"__name__": "made"}
    with entered_files() as files:
        exec(code, names)  # noqa: S102 - a module of the test's own.
    assert files == set()
    with entered_files() as files:
        names["f"]()  # type: ignore[operator]  # The function above.
    assert files == {"functions/made/app.py"}
