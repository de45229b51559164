"""
The first minutes of a new user: a clone in a folder with spaces, and a second start without network and `ps`.

    python -m tests.examples.fresh_clone

The first start installs packages, from uv's cache or from the network. The second one has only the loopback
interface, by `unshare`. It must continue with the data of the first one, whose token stays valid.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bg_ingest.clock import SystemClock
from local.paths import CHECKOUT
from local.ports import free_port

# A new network namespace has a loopback interface that is down, and `ip` may be missing.
_LOOPBACK_UP = """
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    fcntl.ioctl(probe, 0x8914, struct.pack("16sh", b"lo", 0x41))
"""
_LATEST = 'curl --silent --fail --show-error -H @first.header "http://127.0.0.1:$PORT/api/bg/demo/latest"'
_FIRST = f"""
trap 'make down' EXIT
make up DETACH=1
cp .local/demo.header first.header
{_LATEST}
"""
_SECOND = f"""
trap 'make down' EXIT
if command -v ps || curl --silent --head https://pypi.org; then exit 1; fi
"$PYTHON_OF_TEST" -c '{_LOOPBACK_UP}'
make up DETACH=1
{_LATEST}
"""
_WITHOUT_NETWORK = ("unshare", "--map-root-user", "--net")
_MADE_ONCE = ("Setting up", "Building functions", "Deploying template.yaml")


def main() -> int:
    """Run both starts; return 1 if one fails."""
    with TemporaryDirectory() as folder:
        clone = Path(folder) / "a folder with spaces"
        # The checkout may belong to another user, as in a container.
        cloning = ["git", "-c", "safe.directory=*", "clone", "--quiet", str(CHECKOUT), str(clone)]
        subprocess.run(cloning, check=True)  # noqa: S603 - our own.
        environ = {**os.environ, "PORT": str(free_port()), "PYTHON_OF_TEST": sys.executable}  # noqa: TID251 - the user's.
        first = _output(_FIRST, clone, environ)
        if first is None or not all(step in first for step in _MADE_ONCE):
            return _failed("the first start", first)
        environ["PATH"] = _without_ps(Path(folder) / "programs")
        if subprocess.run([*_WITHOUT_NETWORK, "true"], check=False).returncode:  # noqa: S603 - our own.
            sys.stdout.write("Skipped: this machine does not allow a process without network.\n")
            return 0
        second = _output(_SECOND, clone, environ, *_WITHOUT_NETWORK)
        if second is None or any(step in second for step in _MADE_ONCE):
            return _failed("the second start, without network and ps", second)
    return 0


def _output(script: str, clone: Path, environ: dict[str, str], *within: str) -> str | None:
    """Run a script, and return what it prints; None if it fails."""
    clock = SystemClock()
    started_s = clock.monotonic_s()
    done = subprocess.run(  # noqa: S603 - our own scripts.
        [*within, "bash", "-ec", script],
        cwd=clone,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    sys.stdout.write(f"{done.stdout}\n=== {clock.monotonic_s() - started_s:.0f} s, with the stop\n")
    return done.stdout if done.returncode == 0 else None


def _failed(start: str, output: str | None) -> int:
    reason = "it failed" if output is None else "it did other steps than expected"
    sys.stdout.write(f"FAILED {start}: {reason}.\n")
    return 1


def _without_ps(folder: Path) -> str:
    """A PATH with all programs of this one except `ps`."""
    folder.mkdir()
    for place in reversed([Path(name) for name in os.get_exec_path()]):
        for program in place.iterdir() if place.is_dir() else ():
            if program.name != "ps":
                (folder / program.name).unlink(missing_ok=True)
                (folder / program.name).symlink_to(program)
    return str(folder)


if __name__ == "__main__":
    sys.exit(main())
