"""The Nightscout facade: each row of the clients' known requests, and the rules that clients rely on."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.access.reader_tokens import VALID_FOR
from bg_ingest.readings.model import Device, Reading
from bg_ingest.wiring import store_parts
from bg_ingest.wiring.access import grant_parts
from bg_ingest.wiring.process import process
from tests.functions.conftest import part
from tests.functions.gateway import Request, send

if TYPE_CHECKING:
    from tests.functions.conftest import FunctionsWorld

JSON = "application/json"


@pytest.fixture
def token(world: FunctionsWorld) -> str:
    """Store a day of readings of a user, newest now, and return the token of a grant."""
    assert world is not None
    newest = process().clock.now().replace(microsecond=0)
    readings = [
        Reading(
            newest - timedelta(minutes=5 * age),
            100 + age,
            "flat",
            0.1,
            local_offset_minutes=-420,
            device=Device("g7", "iOS", "G7"),
        )
        for age in range(288)
    ]
    part(store_parts.reading_store).save("grace", readings, newest)
    return _grant()


def _grant(*reads: Category, days: GrantDays | None = None) -> str:
    wanted = reads or (Category.READINGS,)
    return part(grant_parts.grant_service).create("grace", "watch", wanted, days or GrantDays())[1]


def _get(world: FunctionsWorld, url: str, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return send(world, Request("GET", url, headers=named))[1]


def _listed(answer: dict[str, Any]) -> list[dict[str, Any]]:
    assert answer["statusCode"] == 200, answer["body"]
    assert answer["headers"]["Content-Type"].startswith(JSON)
    found: list[dict[str, Any]] = json.loads(answer["body"])
    return found


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _ms(**ago: float) -> int:
    return int((process().clock.now() - timedelta(**ago)).timestamp() * 1000)


# ------------------------------------------------------------------------- the known requests of clients
def test_xdrip_follower_gets_the_newest_and_then_what_is_newer(world: FunctionsWorld, token: str) -> None:
    """Ten entries, then all after a time, with a digest in the header and a cache buster."""
    first = _listed(_get(world, "/api/v1/entries.json?count=10&rr=16", api_secret=_sha1(token)))
    since = first[3]["date"]
    url = f"/api/v1/entries.json?count=2880&find[date][$gt]={since}&rr=17"
    more = _listed(_get(world, url, api_secret=_sha1(token)))

    assert len(first) == 10
    assert [entry["_id"] for entry in more] == [entry["_id"] for entry in first[:3]]


def test_loopfollow_gets_entries_and_statistics(world: FunctionsWorld, token: str) -> None:
    """Calibrations are excluded, which must hide nothing; the statistics ask by an ISO date."""
    url = f"/api/v1/entries.json?token={token}&count=576&find[date][$gte]={_ms(hours=2)}&find[type][$ne]=cal"
    since = quote((process().clock.now() - timedelta(days=1)).isoformat())
    stats = f"/api/v1/entries.json?token={token}&count=8640&find%5BdateString%5D%5B%24gte%5D={since}"

    assert len(_listed(_get(world, url))) == 24
    assert len(_listed(_get(world, stats))) == 288
    status = json.loads(_get(world, f"/api/v1/status.json?token={token}")["body"])
    assert status["authorized"]["permissionGroups"] == [["*:*:read"]]
    assert status["authorized"]["token"].count(".") == 2


def test_nightguard_gets_properties_and_a_range_in_floats(world: FunctionsWorld, token: str) -> None:
    """The bounds are milliseconds as floats."""
    found = json.loads(_get(world, f"/api/v2/properties?token={token}")["body"])
    bounds = f"find[date][$gt]={_ms(hours=3)}.0&find[date][$lte]={_ms(hours=1)}.0"
    rows = _listed(_get(world, f"/api/v1/entries.json?count=1440&{bounds}&token={token}"))

    assert found.keys() == {"bgnow", "buckets", "delta", "direction"}
    assert len(rows) == 24


def test_menu_bar_gets_properties_and_then_304(world: FunctionsWorld, token: str) -> None:
    """The header holds the SHA-1 of the token; an unchanged answer is 304."""
    url = "/api/v2/properties/bgnow,buckets,delta,direction"
    first = _get(world, url, Api_Secret=_sha1(token))
    again = _get(world, url, Api_Secret=_sha1(token), If_None_Match=first["headers"]["ETag"])

    assert json.loads(first["body"])["bgnow"]["last"] == 100
    assert (again["statusCode"], again["body"]) == (304, "")


def test_macos_menu_bar_gets_lines_with_tabs(world: FunctionsWorld, token: str) -> None:
    """Without an ending and without a preference the answer is text."""
    for accept in ({}, {"Accept": "*/*"}):
        answer = _get(world, f"/api/v1/entries?count=60&token={token}", **accept)
        lines = answer["body"].split("\r\n")

        assert answer["headers"]["Content-Type"].startswith("text/plain")
        assert len(lines) == 60
        assert [len(line.split("\t")) for line in lines] == [5] * 60
        assert lines[0].split("\t")[2:] == ["100", '"Flat"', '"G7"']


def test_nightscout_clock_gets_json_by_accept(world: FunctionsWorld, token: str) -> None:
    """A range of times in JSON, as the header asks."""
    bounds = f"find[date][$gt]={_ms(hours=1)}&find[date][$lte]={_ms(hours=0)}&count=30"
    rows = _listed(_get(world, f"/api/v1/entries?{bounds}", Accept=JSON, api_secret=token))

    assert len(rows) == 12


def test_librelink_up_reads_one_entry_and_cannot_post(world: FunctionsWorld, token: str) -> None:
    """The upload is refused."""
    answer = _get(world, "/api/v1/entries?count=1", Accept=JSON, api_secret=_sha1(token))
    assert len(_listed(answer)) == 1
    _, refused = send(
        world, Request("POST", "/api/v1/entries", headers={"api-secret": _sha1(token)}, body="[]")
    )
    assert refused["statusCode"] == 401


def test_home_assistant_gets_status_and_entries(world: FunctionsWorld, token: str) -> None:
    """The header has a prefix; a wrong token is 401."""
    status = _get(world, "/api/v1/status.json", api_secret=f"token={token}")
    entries = _listed(_get(world, "/api/v1/entries/sgv.json?count=1", api_secret=f"token={token}"))
    wrong = _get(world, "/api/v1/status.json", api_secret="token=watch-0000000000000000")

    assert json.loads(status["body"])["settings"]["units"] == "mg/dl"
    assert (entries[0]["sgv"], entries[0]["delta"], entries[0]["direction"]) == (100, -1, "Flat")
    assert wrong["statusCode"] == 401


def test_oref0_is_304_with_an_iso_date(world: FunctionsWorld, token: str) -> None:
    """`If-Modified-Since` may be an ISO text, as JavaScript writes it."""
    url = f"/api/v1/entries/sgv.json?count=1000&token={token}"
    newest = datetime.fromtimestamp(_listed(_get(world, url))[0]["date"] / 1000, UTC)
    older = newest - timedelta(seconds=1)

    for since in (newest.strftime("%Y-%m-%dT%H:%M:%S.000Z"), format_datetime(newest, usegmt=True)):
        assert _get(world, url, If_Modified_Since=since)["statusCode"] == 304
    for since in (older.isoformat(), format_datetime(older, usegmt=True), "nonsense", ""):
        assert _get(world, url, If_Modified_Since=since)["statusCode"] == 200


def test_scoutnight_asks_for_very_many_with_a_stray_brace(world: FunctionsWorld, token: str) -> None:
    """The characters after the number are ignored."""
    for count in ("26000", "100000", "26000}"):
        assert len(_listed(_get(world, f"/api/v1/entries.json?count={count}&token={token}"))) == 288


@pytest.mark.parametrize(
    "path",
    [
        "devicestatus.json",
        "treatments.json",
        "treatments",
        "profile.json",
        "profiles.json",
        "profile",
        "profile/current",
        "treatments?find[created_at][$gte]=2023",
        "profile?count=1",
    ],
)
def test_other_collections_are_empty_lists(world: FunctionsWorld, token: str, path: str) -> None:
    """Apps ask for treatments and devices, and stop on an error."""
    assert _listed(_get(world, f"/api/v1/{path}", api_secret=token)) == []


# ------------------------------------------------------------------------------------------- credentials
def _forms(token: str) -> list[tuple[str, dict[str, str]]]:
    sha512 = hashlib.sha512(token.encode()).hexdigest()
    return [
        ("", {"api_secret": _sha1(token)}),
        ("", {"api_secret": _sha1(token).upper()}),
        ("", {"API_SECRET": sha512}),
        ("", {"api_secret": token}),
        ("", {"api_secret": f"token={token}"}),
        (f"?token={token}", {}),
        (f"?token={token}", {"api_secret": "null"}),
        (f"?token={_sha1(token)}", {}),
        (f"?secret={_sha1(token)}", {}),
        ("", {"Authorization": f"Bearer {token}"}),
    ]


def test_every_form_of_a_credential_is_accepted(world: FunctionsWorld, token: str) -> None:
    """Headers and query parameters, the token and its digests."""
    for query, headers in _forms(token):
        answer = _get(world, f"/api/v1/verifyauth{query}", **headers)
        assert answer["statusCode"] == 200, headers
        assert json.loads(answer["body"])["message"]["canWrite"] is False


def test_a_token_is_exchanged_for_a_jwt(world: FunctionsWorld, token: str) -> None:
    """The JWT opens the same, is the same again, and ends after eight hours or with the grant."""
    given_jwt = json.loads(_get(world, f"/api/v2/authorization/request/{token}")["body"])
    again = json.loads(_get(world, f"/api/v2/authorization/request/{token}")["body"])
    jwt = given_jwt["token"]

    assert given_jwt == again
    assert given_jwt["exp"] - given_jwt["iat"] == VALID_FOR / timedelta(seconds=1)
    assert given_jwt["sub"] == "watch"
    assert _get(world, "/api/v1/entries.json", Authorization=f"Bearer {jwt}")["statusCode"] == 200
    status = json.loads(_get(world, "/api/v1/status.json", Authorization=f"Bearer {jwt}")["body"])
    assert status["authorized"]["token"] == jwt
    forged = f"{jwt.rpartition('.')[0]}.{'A' * 43}"
    assert _get(world, "/api/v1/entries.json", Authorization=f"Bearer {forged}")["statusCode"] == 401
    service = part(grant_parts.grant_service)
    service.revoke("grace", service.of_user("grace")[0].grant_id)
    assert _get(world, "/api/v1/entries.json", Authorization=f"Bearer {jwt}")["statusCode"] == 401


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/entries",
        "/api/v1/entries.json",
        "/api/v1/entries/current",
        "/api/v1/verifyauth",
        "/api/v1/experiments/test",
        "/api/v1/treatments.json",
        "/api/v1/count/entries/where",
        "/api/v1/unknown",
        "/api/v2/properties",
        "/api/v2/authorization/request/watch-0000000000000000",
    ],
)
def test_without_a_valid_grant_everything_is_401(world: FunctionsWorld, path: str) -> None:
    """No credential, a wrong one, and one that does not open readings are alike."""
    statistics = _grant(Category.STATISTICS)
    answers = [
        _get(world, path),
        _get(world, path, api_secret="watch-0000000000000000"),
        _get(world, path, api_secret="0" * 40),
        _get(world, path, api_secret=statistics),
    ]

    assert {answer["statusCode"] for answer in answers} == {401}
    assert {answer["body"] for answer in answers} == {
        '{"status": 401, "message": "Unauthorized", "description": "Invalid/Missing"}'
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_every_write_is_refused(world: FunctionsWorld, token: str, method: str) -> None:
    """A valid grant does not allow it."""
    for path in ("/api/v1/entries", "/api/v1/treatments", "/api/v2/anything"):
        _, answer = send(world, Request(method, f"{path}?token={token}", body="[{}]"))
        assert answer["statusCode"] == 401


# ----------------------------------------------------------------------------------------------- answers
def test_status_without_a_credential_names_no_rights(world: FunctionsWorld) -> None:
    """A client asks before it has a token."""
    for ending in ("", ".json"):
        status = json.loads(_get(world, f"/api/v1/status{ending}")["body"])
        assert (status["status"], status["authorized"], status["apiEnabled"]) == ("ok", None, True)
    assert _get(world, "/api/v1/status.txt")["body"] == "STATUS OK"
    for ending in ("html", "js", "svg"):
        assert _get(world, f"/api/v1/status.{ending}")["statusCode"] == 200
    assert json.loads(_get(world, "/api/versions")["body"])


def test_each_ending_and_accept_has_its_format(world: FunctionsWorld, token: str) -> None:
    """The ending of the path comes before the header."""
    wanted = {
        ("entries.json", "*/*"): JSON,
        ("entries/sgv.json", "text/csv"): JSON,
        ("entries.csv", "*/*"): "text/csv",
        ("entries.tsv", "*/*"): "text/tab-separated-values",
        ("entries.txt", JSON): "text/plain",
        ("entries", "text/csv"): "text/csv",
        ("entries", JSON): JSON,
        ("entries/current", "*/*"): "text/plain",
        ("entries/current.json", "*/*"): JSON,
    }
    for (path, accept), media_type in wanted.items():
        answer = _get(world, f"/api/v1/{path}?count=2", api_secret=token, Accept=accept)
        assert answer["headers"]["Content-Type"] == f"{media_type}; charset=utf-8"


def _unusual(now: datetime) -> list[tuple[Reading, tuple[int, str, int]]]:
    """Readings, newest first, and how an entry shows each: value, direction and offset to UTC."""
    device = Device("g6", "iOS", "G6")

    def at(minutes: int, mg_dl: int, trend: str | None, **more: Any) -> Reading:
        return Reading(now - timedelta(minutes=minutes), mg_dl, trend, device=device, **more)

    return [
        (at(1, 38, "doubleDown", status="low", local_offset_minutes=345), (39, "DoubleDown", 345)),
        (
            at(6, 402, "rateOutOfRange", status="high", local_offset_minutes=-420),
            (401, "RATE OUT OF RANGE", -420),
        ),
        (at(11, 155, "singleUp", trend_rate=2.0, local_offset_minutes=600), (155, "SingleUp", 600)),
        (at(16, 149, None), (149, "NONE", 0)),
    ]


def _columns(entries: list[dict[str, Any]], separator: str) -> list[str]:
    names = ("dateString", "date", "sgv", "direction", "device")
    return [separator.join(json.dumps(entry[name]) for name in names) for entry in entries]


def test_unusual_readings_are_right_in_every_format(world: FunctionsWorld) -> None:
    """Low, high, revised, filled in late and in another zone: each format shows what is stored last."""
    store, now = part(store_parts.reading_store), process().clock.now().replace(microsecond=0)
    token, unusual = _grant(), _unusual(now)
    low, high, revised, late = (reading for reading, _ in unusual)
    store.save("grace", [low, high, replace(revised, mg_dl=150, trend="flat")], now - timedelta(seconds=50))
    before = _listed(_get(world, "/api/v1/entries.json", api_secret=token))
    store.save("grace", [revised], now - timedelta(seconds=20))
    store.save("grace", [late], now - timedelta(seconds=10))

    def text(ending: str) -> str:
        body: str = _get(world, f"/api/v1/entries{ending}", api_secret=token)["body"]
        return body

    rows = _listed(_get(world, "/api/v1/entries.json", api_secret=token))
    assert [(row["sgv"], row["direction"], row["utcOffset"]) for row in rows] == [seen for _, seen in unusual]
    assert [row["date"] for row in rows] == [int(reading.at.timestamp()) * 1000 for reading, _ in unusual]
    assert [row["dateString"] for row in rows] == [f"{r.at:%Y-%m-%dT%H:%M:%S}.000Z" for r, _ in unusual]
    assert [row["delta"] for row in rows] == [39 - 401, 401 - 155, 155 - 149, 0]
    # The revision keeps its id, and the late reading is new between its neighbours.
    assert [row["_id"] for row in before] == [row["_id"] for row in rows[:3]]
    for ending, separator in ((".csv", ","), (".tsv", "\t"), (".txt", "\t"), ("", "\t")):
        assert text(ending).split("\r\n") == _columns(rows, separator)
    for row in rows:
        assert _listed(_get(world, f"/api/v1/entries/{row['_id']}.json", api_secret=token)) == [row]
    assert _listed(_get(world, "/api/v1/entries/current.json", api_secret=token))[0]["_id"] == rows[0]["_id"]
    assert _listed(_get(world, "/api/v1/entries/sgv.json", api_secret=token)) == rows
    for condition, count in (("[sgv][$lt]=40", 1), ("[sgv][$gt]=400", 1), ("[sgv]=155", 1), ("[sgv]=150", 0)):
        found = _listed(_get(world, f"/api/v1/count/entries/where?find{condition}", api_secret=token))
        assert found == ([{"_id": None, "count": count}] if count else [])


def test_properties_show_unusual_readings_as_entries_do(world: FunctionsWorld) -> None:
    """The newest is low, so it is in no mean; the change counts from the reading before it."""
    store, now = part(store_parts.reading_store), process().clock.now().replace(microsecond=0)
    token, unusual = _grant(), _unusual(now)
    low, high, revised, late = (reading for reading, _ in unusual)
    store.save("grace", [low, high, replace(revised, mg_dl=150)], now - timedelta(seconds=50))
    store.save("grace", [revised, late], now - timedelta(seconds=20))
    found = json.loads(_get(world, "/api/v2/properties", api_secret=token)["body"])

    assert [bucket["last"] for bucket in found["buckets"]] == [39, 401, 155, 149]
    assert ["mean" in bucket for bucket in found["buckets"]] == [False, True, True, True]
    assert found["bgnow"]["last"] == 39
    assert (found["delta"]["mgdl"], found["delta"]["absolute"]) == (39 - 401, 39 - 401)
    assert found["direction"]["value"] == "DoubleDown"


def test_a_reading_of_the_future_is_not_shown(world: FunctionsWorld, token: str) -> None:
    """A device whose clock runs ahead by an hour does not hide the newest real value."""
    now = process().clock.now().replace(microsecond=0)
    part(store_parts.reading_store).save("grace", [Reading(now + timedelta(hours=1), 300)], now)
    current = _listed(_get(world, "/api/v1/entries/current.json", api_secret=token))
    found = json.loads(_get(world, "/api/v2/properties/bgnow", api_secret=token)["body"])

    assert (current[0]["sgv"], found["bgnow"]["last"]) == (100, 100)


def test_an_unknown_id_is_404_and_an_unknown_path_too(world: FunctionsWorld, token: str) -> None:
    """In Nightscout's form of errors."""
    for path in ("entries/0123456789abcdef01234567", "entries/0123456789abcdef01234567.json", "slice/x"):
        answer = _get(world, f"/api/v1/{path}", api_secret=token)
        assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (404, 404)


def test_matches_are_counted(world: FunctionsWorld, token: str) -> None:
    """The number of all matches, or an empty list."""
    url = "/api/v1/count/entries/where?find[sgv][$lt]={}"
    assert _listed(_get(world, url.format(110), api_secret=token)) == [{"_id": None, "count": 10}]
    assert _listed(_get(world, url.format(10), api_secret=token)) == []


def test_an_unreadable_query_is_400(world: FunctionsWorld, token: str) -> None:
    """The envelope says what is wrong, without the value."""
    for query in ("count=abc", "find[dateString][$gte]=secret-words"):
        answer = _get(world, f"/api/v1/entries.json?{query}", api_secret=token)
        body = json.loads(answer["body"])
        assert (answer["statusCode"], body["status"], body["message"]) == (400, 400, "Bad Request")
        assert "secret-words" not in answer["body"]


def test_a_grant_of_some_days_shows_those_only(world: FunctionsWorld, token: str) -> None:
    """The facade has the same cut as the other routes."""
    assert token
    local = process().clock.now() - timedelta(hours=7)
    rows = _listed(_get(world, "/api/v1/entries.json?count=1000", api_secret=_grant(days=GrantDays(last=1))))

    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=7)
    assert all(row["date"] >= midnight.timestamp() * 1000 for row in rows)
    assert 0 < len(rows) < 288


def test_last_modified_is_the_newest_entry(world: FunctionsWorld, token: str) -> None:
    """It is there in every format."""
    for ending in (".json", ".csv", ""):
        answer = _get(world, f"/api/v1/entries{ending}?count=5", api_secret=token)
        modified = parsedate_to_datetime(answer["headers"]["Last-Modified"])
        assert abs(process().clock.now() - modified) < timedelta(minutes=2)


def test_many_rows_fit_into_one_answer(world: FunctionsWorld) -> None:
    """26,000 entries are one response, compressed and not, below the limit of Lambda."""
    now = process().clock.now().replace(microsecond=0)
    readings = [Reading(now - timedelta(minutes=5 * age), 60 + age % 300, "flat") for age in range(26_000)]
    part(store_parts.reading_store).save("grace", readings, now)
    url = f"/api/v1/entries.json?count=26000&find[date][$gt]=0&token={_grant()}"
    plain, packed = _get(world, url), _get(world, url, Accept_Encoding="gzip")

    assert len(json.loads(plain["body"])) == 26_000
    assert len(json.dumps(plain)) < 6_291_556
    assert packed["headers"]["Content-Encoding"] == "gzip"
    assert len(json.dumps(packed)) < 6_291_556
    whole = json.loads(gzip.decompress(base64.b64decode(packed["body"])))
    assert len(whole) == 26_000
    assert "identifier" in whole[0]


def test_no_query_value_is_logged(
    world: FunctionsWorld, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the token nor another value of the query is in any line."""
    _get(world, f"/api/v1/entries.json?token={token}&find[device]=needle-in-query")
    _get(world, f"/api/v2/authorization/request/{token}")
    _get(world, "/api/v1/entries.json?token=needle-in-query&count=abc")
    written = capsys.readouterr().out

    assert "GET /api/v1/{proxy+}" in written
    assert not [word for word in (token, _sha1(token), "needle-in-query") if word in written]


paths = st.sampled_from(
    [
        "v1/entries",
        "v1/entries.json",
        "v1/entries/sgv.json",
        "v1/count/entries/where",
        "v2/properties",
        "v1/entries/x",
    ]
)
names = st.sampled_from(
    [
        "count",
        "find[date][$gt]",
        "find[dateString][$gte]",
        "find[sgv]",
        "find[direction][$regex]",
        "find[_id]",
    ]
)


@pytest.mark.fuzz
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(path=paths, query=st.lists(st.tuples(names | st.text(max_size=12), st.text(max_size=12)), max_size=4))
def test_no_query_is_a_server_error(
    world: FunctionsWorld, token: str, path: str, query: list[tuple[str, str]]
) -> None:
    """Random names and values are answered or refused, never with 5xx."""
    raw = "&".join(f"{quote(name, safe='[]$')}={quote(value)}" for name, value in query)
    answer = _get(world, f"/api/{path}?{raw}", api_secret=token)

    assert answer["statusCode"] in {200, 304, 400, 404}
