"""
Starts ministack, the emulated AWS, with changes to version 1.5.33.

Logs: after a function has answered, ministack waits 5 ms for each further log line. A line that a busy
machine delivers later is missing from the log. A function writes its lines before it answers, so all of them
are in the pipe already. `CompleteLogWorker` therefore reads the pipe until it is empty.

Streams: ministack treats a batch as done even if the function reports failed items, so those items would be
lost. `RetryingStreams` reports such a batch as failed, so ministack delivers the whole batch again. AWS would
repeat only a part of it. ministack also delivers each record at once, so that hours written one after another
are as many invocations. `RetryingStreams` reads the streams four times a second, as Lambda does.

Queues: ministack compares the concurrency of a queue with numbers, but a template parameter arrives as text.
`NumericConcurrency` converts it. ministack also ignores the time for which Lambda gathers the messages of a
batch, and starts a process for each few of them. For a queue with such a time, `NumericConcurrency` returns
1, so messages that arrive during a batch share the next one.

Layers: ministack unpacks the layer for each worker, which takes seconds, and before that it resolves the path
of each of its 3,000 files. `UnpackedOnce` unpacks it once.

Templates: ministack parses YAML in pure Python, which takes seconds. libyaml returns the same.

Queries: ministack parses the key condition again for each item of a partition, which takes 50 ms for ninety
days of hours. `QuickRanges` compares the range of a sort key without parsing.

Live code: if LIVE_CODE names the checkout, workers run its functions/ and layers/ instead of the deployed
copies, and `SourceWatch` lets them restart after a change.

Run it with the Python that has ministack: `.venv-aws/bin/python -P local/emulated_aws.py`.
"""

import array
import fcntl
import functools
import hashlib
import os
import re
import select
import shutil
import termios
import threading
import time
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from ministack.app import main
from ministack.core import lambda_runtime
from ministack.services import dynamodb, lambda_svc

Execute = Callable[[Any, Any], Any]

_DRAIN_S_MAX = 5.0  # The limit for reading the rest of the pipe, which usually takes a millisecond.
_CHECK_EVERY_S = 0.001
_CHUNK_BYTES = 65_536
_WATCH_EVERY_S = 0.25
_POLL_EVERY_S = 0.25  # "At a base rate of four times per second" (the documentation of Lambda).
_ROTATE_EVERY_S = 60.0
_OUTPUT_BYTES_MAX = 10_000_000
_PACKAGE = Path("python", "bg_ingest")  # Within the layer.


class SourceWatch:
    """The folders with the code of functions and layer in a checkout, and a number that changes with them."""

    def __init__(self, checkout: Path, folders: dict[str, Path]) -> None:
        self.functions = folders  # By the function's name in template.yaml.
        self.package = checkout / "layers" / "core" / "bg_ingest"
        self._watched = (checkout / "functions", checkout / "layers" / "core" / "bg_ingest")
        self.changes = 0
        self._seen = self._files()

    def folder_of(self, function: str) -> Path | None:
        """The source folder of a function, by its deployed name."""
        return next((it for name, it in self.functions.items() if f"-{name}-" in function), None)

    def start(self) -> None:
        """Look for changes in the background."""
        threading.Thread(target=self._watch, daemon=True, name="source-watch").start()

    def look(self) -> None:
        """Count a change, if there was one."""
        files = self._files()
        if files != self._seen:
            self._seen = files
            self.changes += 1

    def _watch(self) -> None:
        while True:
            time.sleep(_WATCH_EVERY_S)  # noqa: TID251 - ministack's environment has no Clock.
            self.look()

    def _files(self) -> dict[str, int]:
        found = {}
        for folder in self._watched:
            for entry in _entries(folder):
                try:
                    found[entry.path] = entry.stat().st_mtime_ns
                except FileNotFoundError:
                    continue  # An editor or a merge has just removed it, or it is a link to nothing.
        return found


def keep_output_short(file: Path) -> None:
    """Rotate the file that standard output is appended to, as long as the process runs."""
    while True:
        time.sleep(_ROTATE_EVERY_S)  # noqa: TID251 - ministack's environment has no Clock.
        rotate(file)


def rotate(file: Path, output: int = 1) -> None:
    """Move a long output to a second file. A file that is opened for appending continues at its start."""
    if os.fstat(output).st_size > _OUTPUT_BYTES_MAX:
        shutil.copyfile(file, file.with_suffix(".1.log"))
        os.ftruncate(output, 0)


def _link_entries(package: Path, source: Path) -> None:
    """Replace each entry of the built package by a link to its source. What only the build has remains."""
    for entry in list(source.iterdir()):
        built = package / entry.name
        if built.is_symlink() or entry.name == "__pycache__":
            continue
        if built.is_dir():
            shutil.rmtree(built)
        built.unlink(missing_ok=True)
        built.symlink_to(entry)


def _entries(folder: Path) -> list[Any]:
    files = []
    try:
        for entry in os.scandir(folder):
            if entry.is_dir():
                files += _entries(Path(entry.path)) if entry.name != "__pycache__" else []
            else:
                files.append(entry)
    except FileNotFoundError:
        pass  # An editor may replace a folder at this moment.
    return files


def source_folders(template: dict[str, Any], checkout: Path) -> dict[str, Path]:
    """The source folder of each function of template.yaml."""
    return {
        name: checkout / resource["Properties"]["CodeUri"]
        for name, resource in template["Resources"].items()
        if "CodeUri" in resource.get("Properties", {})
    }


class UnpackedOnce(zipfile.ZipFile):
    """An archive of a function or a layer. All workers share one unpacked layer."""

    # With kept data the next start finds it.
    shared = Path(os.environ["STATE_DIR"]) / "layers"  # noqa: TID251 - ministack's own setting.
    live: SourceWatch | None = None
    _lock = threading.Lock()

    def namelist(self) -> list[str]:
        """The files of a function. For a layer an empty list: ministack would resolve the path of each."""
        return [] if Path(str(self.filename)).name.startswith("layer_") else super().namelist()

    def extractall(self, path: Any = None, *args: Any, **named: Any) -> None:
        """Unpack into a new folder, or replace the folder by a link to one that has the same content."""
        target = Path(path)
        function = target.parent.name.removeprefix("ministack-lambda-")
        if target.name.startswith("layer_"):
            self._link(target, self._shared_layer())
        elif self.live and target.name == "code" and (source := self.live.folder_of(function)):
            self._link(target, source)
        else:
            super().extractall(path, *args, **named)

    def _shared_layer(self) -> Path:
        files = sorted((file.filename, file.CRC) for file in self.infolist())
        folder = self.shared / hashlib.sha256(repr(files).encode()).hexdigest()
        with self._lock:
            if not folder.exists():
                unfinished = folder.with_suffix(".unfinished")
                super().extractall(unfinished, self.infolist())
                unfinished.rename(folder)
            if self.live and (folder / _PACKAGE).exists():
                _link_entries(folder / _PACKAGE, self.live.package)
        return folder

    @staticmethod
    def _link(target: Path, folder: Path) -> None:
        target.rmdir()
        target.symlink_to(folder)


class CompleteLogWorker(lambda_runtime.Worker):  # type: ignore[misc]  # ministack ships no types.
    """A worker whose log is complete when its response is returned, and that restarts for changed code."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._reading = threading.Lock()
        self._changes_seen = 0

    def invoke(self, *args: Any, **named: Any) -> Any:
        """Invoke the function, with the code as it is now."""
        if UnpackedOnce.live and self._changes_seen != UnpackedOnce.live.changes:
            self._changes_seen = UnpackedOnce.live.changes
            with self._lock:
                self._end_process()
        return super().invoke(*args, **named)

    def _end_process(self) -> None:
        outdated: Any = self._proc
        if outdated:
            outdated.terminate()
            outdated.wait()
        self._proc: Any = None

    def _read_stderr(self) -> None:
        # Waits outside the lock, reads inside it. If a holder of the lock finds no input, it has every line.
        pipe, lines = self._proc.stderr, self._stderr_queue
        partial = b""
        # Not select(), which fails beyond 1,024 open files: a function whose lines are not read stops.
        waiting = select.poll()
        waiting.register(pipe, select.POLLIN)
        while True:
            waiting.poll()
            with self._reading:
                chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
                *complete, partial = (partial + chunk).split(b"\n")
                for line in [*complete, *([partial] if partial and not chunk else [])]:
                    lines.put(line.decode(errors="replace"))
            if not chunk:
                return

    def _drain_stderr_bounded(self, *_: float, **__: float) -> str:
        return self._drain_stderr()

    def _drain_stderr(self) -> str:
        deadline_s = time.monotonic() + _DRAIN_S_MAX  # noqa: TID251 - ministack's environment has no Clock.
        while not self._is_drained() and time.monotonic() < deadline_s:  # noqa: TID251 - as above.
            time.sleep(_CHECK_EVERY_S)  # noqa: TID251 - as above.
        with self._reading:
            log: str = super()._drain_stderr()
        return log

    def _is_drained(self) -> bool:
        process = self._proc
        if process is None:  # The worker was ended after its response; the reader ends with the pipe.
            return self._stderr_thread is None or not self._stderr_thread.is_alive()
        waiting = array.array("i", [0])
        fcntl.ioctl(process.stderr, termios.FIONREAD, waiting)
        return not waiting[0]


class RetryingStreams:
    """ministack's stream poller, at Lambda's rate. A batch fails if a function reports failed items."""

    def __init__(self, poll: Callable[[], bool], execute: Execute) -> None:
        self._poll, self._execute = poll, execute
        self._polling = threading.local()
        self._next_s = 0.0

    def poll(self) -> bool:
        """Poll as ministack does, but at most four times a second."""
        now_s = time.monotonic()  # noqa: TID251 - ministack's environment has no Clock.
        if now_s < self._next_s:
            return False
        self._next_s = now_s + _POLL_EVERY_S
        self._polling.now = True
        try:
            return self._poll()
        finally:
            self._polling.now = False

    def execute(self, function: Any, event: Any) -> Any:
        """Invoke a function. For a stream, a partial failure counts as a failure of the batch."""
        result = self._execute(function, event)
        # A queue and a direct invocation handle a partial failure themselves.
        is_for_a_stream = getattr(self._polling, "now", False)
        return result | {"error": True} if is_for_a_stream and _is_partial(result) else result


class NumericConcurrency:
    """ministack's concurrency of a queue, as a number. A parameter of the template arrives as text."""

    def __init__(self, concurrency: Callable[..., int]) -> None:
        self._concurrency = concurrency

    def of(self, mapping: dict[str, Any], *others: Any) -> int:
        """The number of batches of one event source mapping that are processed at the same time."""
        if mapping.get("MaximumBatchingWindowInSeconds"):
            return 1
        scaling = {name: int(value) for name, value in (mapping.get("ScalingConfig") or {}).items()}
        return self._concurrency(mapping | {"ScalingConfig": scaling}, *others)


class QuickRanges:
    """ministack's conditions; a range of a text sort key is compared without parsing."""

    _RANGE = re.compile(r"(\w+) = (:\w+) AND (\w+) BETWEEN (:\w+) AND (:\w+)")

    def __init__(self, evaluate: Callable[..., bool]) -> None:
        self._evaluate = evaluate
        self._members = functools.lru_cache(self._members_of)

    def _members_of(self, condition: str) -> tuple[str, ...] | None:
        found = self._RANGE.fullmatch(condition)
        return found.groups() if found else None

    def holds(self, condition: str, item: dict[str, Any], values: Any, names: Any, **slot: str) -> bool:
        """Whether the item meets the condition."""
        members = self._members(condition) if slot.get("slot") == "KeyConditionExpression" else None
        if members:
            key, wanted, sort, first, last = members
            try:
                at = item[sort]["S"]
                # Texts compare by code point, which is the order of their bytes in UTF-8.
                is_in_range: bool = values[first]["S"] <= at <= values[last]["S"]
                return is_in_range and bool(item[key]["S"] == values[wanted]["S"])
            except KeyError:  # Keys of other types.
                pass
        return self._evaluate(condition, item, values, names, **slot)


def _is_partial(result: Any) -> bool:
    body = result.get("body")
    return isinstance(body, dict) and bool(body.get("batchItemFailures"))


def watch_checkout(checkout: Path) -> SourceWatch:
    """Start to watch the sources of a checkout."""
    from samtranslator.yaml_helper import yaml_parse  # noqa: PLC0415 - half a second, and only for live code.

    template = yaml_parse((checkout / "template.yaml").read_text())
    watch = SourceWatch(checkout, source_folders(template, checkout))
    watch.start()
    return watch


if __name__ == "__main__":
    yaml.SafeLoader = yaml.CSafeLoader  # type: ignore[assignment, misc]  # Before ministack derives from it.
    if output_file := os.environ.pop("OUTPUT_FILE", ""):  # noqa: TID251 - functions inherit the rest.
        threading.Thread(target=keep_output_short, args=(Path(output_file),), daemon=True).start()
    if live_code := os.environ.pop("LIVE_CODE", ""):  # noqa: TID251 - functions inherit the rest.
        UnpackedOnce.live = watch_checkout(Path(live_code))
    lambda_runtime.zipfile = types.SimpleNamespace(**vars(zipfile) | {"ZipFile": UnpackedOnce})
    lambda_runtime.Worker = CompleteLogWorker
    streams = RetryingStreams(lambda_svc._poll_dynamodb_streams, lambda_svc._execute_function)  # noqa: SLF001 - ministack has no public name for it.
    lambda_svc._poll_dynamodb_streams = streams.poll  # noqa: SLF001 - as above.
    lambda_svc._execute_function = streams.execute  # noqa: SLF001 - as above.
    numeric = NumericConcurrency(lambda_svc._sqs_esm_concurrency)  # noqa: SLF001 - as above.
    lambda_svc._sqs_esm_concurrency = numeric.of  # noqa: SLF001 - as above.
    ranges = QuickRanges(dynamodb._evaluate_condition)  # noqa: SLF001 - as above.
    dynamodb._evaluate_condition = ranges.holds  # noqa: SLF001 - as above.
    main()
