"""The commands and responses in docs/api.md are real."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.clock import SystemClock
from bg_ingest.exporting.export_job import ExportSpan, of_service, of_user
from bg_ingest.exporting.export_service import ExportCaller
from bg_ingest.wiring.access.grant_parts import grant_service
from bg_ingest.wiring.export_parts import export_service
from local.paths import CHECKOUT
from tests.functions import api_document
from tests.functions.conftest import part
from tests.functions.gateway import Request, send
from tests.support.leaks import WEBHOOK_SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functions.conftest import FunctionsWorld

TEXT = (CHECKOUT / "docs" / "api.md").read_text(encoding="utf-8")
CURLS = [line for line in TEXT.splitlines() if line.startswith("curl ")]
# The commands that need the lines before them, or a code from a login; test_logins.py sends the latter.
SIGNED = next(line for line in CURLS if "$SIGNATURE" in line)
CONFIRMED = next(line for line in CURLS if "$CODE" in line)
# Each response in docs/api.md, with the last command before it.
SHOWN = re.findall(r"(curl [^\n]*)\n```\n```json\n(.*?)```", TEXT, flags=re.DOTALL)

_CLAIMS = {"Bearer demo": {"sub": "demo"}, "Bearer service": {"sub": "a-service", "scope": "bg/read"}}


def _filled(line: str) -> str:
    """The line with the values of its variables. The user `ada` of the document is `demo` here."""
    now = SystemClock().now()
    values = {
        "API": "",
        "TOKEN": "demo",
        "SERVICE": "service",
        "ADA": "demo",
        "NOW": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "TODAY": f"{now:%Y-%m-%d}",
        "YESTERDAY": f"{now - timedelta(days=1):%Y-%m-%d}",
        "ETAG": "unknown",
        "EXPORT": "{exportId}",
    }
    filled = re.sub(r"\$\{?(\w+)\}?", lambda name: values.get(name[1], name[0]), line)
    return filled.replace("/bg/ada", "/bg/demo")


def request_of(line: str) -> Request:
    """Return the request that curl would send, with the token of the user `demo`."""
    words = iter(shlex.split(_filled(line))[1:])
    method, url, body, headers = "GET", "", None, {}
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-d":
                method, body = method if method != "GET" else "POST", next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-s":
                pass
            case "-w":
                next(words)
            case _:
                url = word
    claims = _CLAIMS.get(headers.get("Authorization", ""))
    return Request(method, url, claims, headers, body)


@pytest.mark.parametrize("line", [line for line in CURLS if line not in {SIGNED, CONFIRMED}])
def test_every_curl_command_in_the_docs_works(
    world: FunctionsWorld, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """The request succeeds with the described response."""
    world.restarted(monkeypatch, SERVICE_CLIENT_IDS="a-service", POLL_INTERVAL_SECONDS="60")
    _, token = part(grant_service).create("demo", "watch", list(Category), GrantDays())
    request = request_of(line.replace("$GRANT", token).replace("$EXPORT", _ordered_export(line)))
    route, answer = send(world, request)

    assert answer["statusCode"] in {200, 201, 202, 204}, answer["body"]
    api_document.check(route.method, route.path, answer)


def _ordered_export(line: str) -> str:
    """The id of an export that the caller of the line has ordered."""
    owner = of_service("a-service") if "$SERVICE" in line else of_user("demo")
    now = SystemClock().now()
    span, caller = ExportSpan(now, now, now), ExportCaller("demo", "POST /", "c")
    return part(export_service).order(owner, span, caller, ["demo"]).key.export_id


def test_a_webhook_that_is_signed_by_hand_is_accepted(world: FunctionsWorld, tmp_path: Path) -> None:
    """The lines run unchanged; only curl is replaced, by a script that writes its arguments down."""
    missing = [tool for tool in ("bash", "openssl", "od") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")
    (tmp_path / ".venv").symlink_to(CHECKOUT / ".venv")
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps({"webhook_secret": WEBHOOK_SECRET}))
    (block,) = [block for block in re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL) if SIGNED in block]
    noted = 'curl() { printf "%s\\n" "$@"; }\nset -e\nYESTERDAY=2026-04-26\n'
    ran = subprocess.run(  # noqa: S603 - the commands are in docs/api.md.
        ["bash", "-c", noted + block],  # noqa: S607 - found through PATH.
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    words = ran.stdout.splitlines()
    route, answer = send(world, request_of(shlex.join(["curl", *words])))

    assert answer["statusCode"] == 202, answer["body"]
    api_document.check(route.method, route.path, answer)


@pytest.mark.parametrize(("line", "shown"), SHOWN)
def test_a_documented_response_has_the_real_fields(world: FunctionsWorld, line: str, shown: str) -> None:
    """The JSON in docs/api.md has the same members as the real response."""
    _, answer = send(world, request_of(line))

    assert json.loads(shown).keys() == json.loads(answer["body"]).keys()


def test_the_documented_problem_equals_the_real_one(world: FunctionsWorld) -> None:
    """A limit of 1001 gets exactly the problem document in docs/api.md."""
    shown = json.loads(re.findall(r"```json\n(\{\"type\".*?)```", TEXT, flags=re.DOTALL)[0])
    request = Request(
        "GET", "/api/bg/demo?limit=1001", {"sub": "demo"}, {"X-Correlation-ID": shown["instance"]}
    )
    _, answer = send(world, request)

    assert json.loads(answer["body"]) == shown


def test_every_route_has_a_documented_command() -> None:
    """The callback, one job and one grant are exceptions: they need a value from another response."""
    typed = {(request.method, request.url.partition("?")[0]) for request in map(request_of, CURLS)}
    routes = {
        (method.upper(), path.replace("{userId}", "demo"))
        for path, methods in api_document.whole()["paths"].items()
        for method in methods
    }

    assert routes - typed == {
        ("GET", "/oauth/callback"),
        ("GET", "/api/bg/demo/sync/jobs/{jobId}"),
        ("DELETE", "/api/bg/demo/grants/{grantId}"),
    }
