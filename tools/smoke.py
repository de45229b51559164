"""
Checks a deployment from outside, in some seconds and without changing anything: the command of `make smoke`.

    make smoke API=https://bg.example.org [TOKEN=...]

With the token of a service or a user it also reads, as that caller.
"""

from __future__ import annotations

import os
import sys

import httpx

from bg_ingest.http_api.smoke_checks import TIMEOUT_S, failures


def main() -> int:
    """Run all checks; return 1 if one failed."""
    api, token = os.environ.get("API"), os.environ.get("TOKEN")  # noqa: TID251 - options of the command.
    if not api:
        sys.stderr.write("API is missing. Example: make smoke API=https://bg.example.org\n")
        return 1
    failed = False
    with httpx.Client(base_url=api, timeout=TIMEOUT_S, trust_env=False) as client:
        for name, complaint in failures(client, token):
            failed = failed or complaint is not None
            sys.stdout.write(
                f"{'FAILED' if complaint else 'ok    '} {name}{f': {complaint}' if complaint else ''}\n"
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
