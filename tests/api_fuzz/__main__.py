"""
Runs Schemathesis, a public fuzzer, over openapi.json and the running local stack.

Requests that only read are made for the demo user, who has data. The others are made for a user that this
program connects for it, because they disconnect and erase. The same seed makes the same requests.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys

from local import demo
from local.errors import CannotStart
from local.paths import CHECKOUT, DEFAULT_STATE
from local.stack import Stack, load

_EXAMPLES = 50  # Of each operation; `max-time` would send as many as this machine is fast.
_PROGRAM = CHECKOUT / ".venv-fuzz" / "bin" / "schemathesis"
_CONFIGURATION = CHECKOUT / "tests" / "api_fuzz" / "schemathesis.toml"


def main() -> int:
    """Run both halves; return 0 if neither finds anything."""
    try:
        stack = load(DEFAULT_STATE)
    except CannotStart as error:
        print(error)
        return 1
    reads = _run(stack, stack.demo_user_id, stack.demo_token, "--include-method", "GET")
    # Another one in each run, since a person may begin only twenty logins an hour.
    user_id = f"fuzzed-{secrets.token_hex(4)}"
    token = stack.callers.token(user_id)
    demo.connect(stack.api, token, user_id)
    writes = _run(stack, user_id, token, "--exclude-method", "GET")
    return reads or writes


def _run(stack: Stack, user_id: str, token: str, *selection: str) -> int:
    variables = {
        "FUZZ_API": stack.api,
        "FUZZ_USER": user_id,
        "FUZZ_PERSON": token,
        "FUZZ_SERVICE": stack.service_token,
        "FUZZ_GRANT": stack.grant.token,
        "PYTHONPATH": str(CHECKOUT),
    }
    command = [str(_PROGRAM), "--config-file", str(_CONFIGURATION), "run", f"{stack.api}/openapi.json"]
    bound = ["--max-examples", str(_EXAMPLES)]
    # It writes a folder of its own into the current one.
    run = [*command, *bound, *selection]
    return subprocess.run(run, env=os.environ | variables, cwd=_PROGRAM.parents[1], check=False).returncode  # noqa: S603, TID251 - a program of this project.


if __name__ == "__main__":
    sys.exit(main())
