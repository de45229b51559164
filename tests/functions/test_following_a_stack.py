"""One stack follows another: the provider reads the Nightscout facade of this service."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from bg_ingest.access.grant import Category, GrantDays
from bg_ingest.clock import SystemClock
from bg_ingest.providers.errors import ConsentRevoked
from bg_ingest.providers.nightscout.nightscout_provider import NightscoutProvider
from bg_ingest.providers.nightscout.site_http import SiteHttp
from bg_ingest.providers.nightscout.site_login import OWN_SITE, SiteLogin
from bg_ingest.providers.seam import ProviderAccount
from bg_ingest.readings.model import Device, Reading
from bg_ingest.wiring import store_parts
from bg_ingest.wiring.access import grant_parts
from tests.functions.conftest import part
from tests.functions.gateway import Request, send

if TYPE_CHECKING:
    from bg_ingest.providers.seam import Tokens
    from tests.functions.conftest import FunctionsWorld

USER = "grace"
ADDRESS = "https://bg.example.org"


@dataclass(frozen=True)
class FacadeTransport(httpx.BaseTransport):
    """Sends requests to the functions of this service."""

    world: FunctionsWorld

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The facade's response."""
        target = request.url.raw_path.decode("ascii")
        answer = send(self.world, Request(request.method, target, headers=dict(request.headers)))[1]
        body = answer.get("body") or ""
        content = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
        return httpx.Response(int(answer["statusCode"]), headers=answer["headers"], content=content)


@dataclass(frozen=True)
class FollowedStack:
    """The followed stack, with a day of readings and a grant, and the follower's provider."""

    readings: list[Reading]
    grant_id: str
    token: str
    provider: NightscoutProvider
    account: ProviderAccount

    def login(self) -> Tokens:
        """Log in at the followed stack."""
        return self.provider.login.check(ADDRESS, self.token, lambda: math.inf)


@pytest.fixture
def followed(world: FunctionsWorld) -> FollowedStack:
    """A day of readings in one stack."""
    newest = SystemClock().now().replace(microsecond=0)
    readings = [
        Reading(
            newest - timedelta(minutes=5 * age, seconds=age % 3),
            39 if age == 7 else 401 if age == 9 else 90 + age,
            ("flat", "singleUp", "doubleDown", "notComputable", "none")[age % 5],
            status="low" if age == 7 else "high" if age == 9 else None,
            local_offset_minutes=345,
            device=Device("g7", "iOS", "G7"),
        )
        for age in range(288)
    ]
    part(store_parts.reading_store).save(USER, readings, newest)
    grant, token = part(grant_parts.grant_service).create(USER, "stack", [Category.READINGS], GrantDays())
    http = SiteHttp(
        SystemClock(), resolve=lambda _, __: ["93.184.215.14"], inner=lambda: FacadeTransport(world)
    )
    provider = NightscoutProvider(SiteLogin(http, SystemClock(), https_only=True))
    account = ProviderAccount(OWN_SITE, None, lambda: math.inf)
    return FollowedStack(readings, grant.grant_id, token, provider, account)


def test_a_stack_that_follows_another_has_equal_readings(followed: FollowedStack) -> None:
    """A day is fetched through the facade: instants, values, trends, ranges and offsets are the same."""
    oldest, newest = followed.readings[-1].at, followed.readings[0].at
    fetched = followed.provider.readings(
        followed.account, followed.login().access_token, oldest, newest + timedelta(minutes=10)
    )

    def shown(reading: Reading) -> tuple[object, ...]:
        return reading.at, reading.mg_dl, reading.trend, reading.status, reading.local_offset_minutes

    assert not fetched.rejected
    assert sorted(map(shown, fetched.readings), key=str) == sorted(map(shown, followed.readings), key=str)


def test_a_revoked_grant_ends_the_following(followed: FollowedStack) -> None:
    """The next web token is refused as one of an unknown token."""
    tokens = followed.login()
    part(grant_parts.grant_service).revoke(USER, followed.grant_id)

    with pytest.raises(ConsentRevoked):
        followed.provider.login.refresh(followed.account, tokens.refresh_token)
