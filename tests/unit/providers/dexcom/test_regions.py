from __future__ import annotations

import pytest

from bg_ingest.clock import SystemClock
from bg_ingest.providers.dexcom.provider import NAME, DexcomProvider
from bg_ingest.providers.dexcom.regions import CUSTOM, REGIONS, base_url, hosts_of, region_of
from bg_ingest.providers.errors import RequestRefused
from bg_ingest.providers.seam import Endpoint


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("sandbox", "https://sandbox-api.dexcom.com"),
        ("us", "https://api.dexcom.com"),
        ("EU", "https://api.dexcom.eu"),
        (" ous ", "https://api.dexcom.eu"),
        ("jp", "https://api.dexcom.jp"),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("https://proxy.example/dexcom/", "https://proxy.example/dexcom"),
    ],
)
def test_place_is_a_region_or_a_base_url(place: str, url: str) -> None:
    """The name of a region gives its base URL; a base URL is returned without a slash at its end."""
    assert base_url(place) == url


@pytest.mark.parametrize(
    "place",
    [
        "",
        "moon",
        "api.dexcom.eu",
        "ftp://api.dexcom.eu",
        "https://",
        "https://host/?q=1",
        "https://host/#top",
    ],
)
def test_other_text_is_rejected(place: str) -> None:
    """A misspelled setting stops the service, so that tokens are not sent to a wrong host."""
    with pytest.raises(ValueError, match="neither a region"):
        base_url(place)


def test_base_url_with_a_password_is_rejected() -> None:
    """A base URL with credentials is rejected, and the error does not contain the password."""
    with pytest.raises(ValueError, match="credentials") as caught:
        base_url("https://ada:secret@api.dexcom.eu")

    assert "secret" not in str(caught.value)


def provider(deployed: str) -> DexcomProvider:
    """The provider of a deployment with this setting; it makes no call."""
    return DexcomProvider(None, None, SystemClock(), deployed)  # type: ignore[arg-type] # It is never called.


def test_region_of_a_base_url() -> None:
    """The region is found by the hostname, for any spelling of the base URL."""
    assert {region_of(url + "/") for url in REGIONS.values()} == set(REGIONS)
    assert region_of("https://API.dexcom.EU") == "eu"
    assert region_of("http://127.0.0.1:8090") == "custom"


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_has_its_fixed_host(region: str) -> None:
    """With any setting of this deployment, a region's tokens go to Dexcom's own host over HTTPS."""
    for deployed in ("http://127.0.0.1:5002", REGIONS["us"], "http://api.dexcom.com:8080"):
        assert hosts_of(deployed)[region] == REGIONS[region]
        assert hosts_of(deployed)[region].startswith("https://")


def test_a_custom_host_is_that_of_the_setting() -> None:
    """The name "custom" leads to the host of this deployment, and nowhere if it has none."""
    assert provider("http://127.0.0.1:5002").host(Endpoint(NAME, CUSTOM)) == "http://127.0.0.1:5002"
    for region, deployed in (
        (CUSTOM, REGIONS["eu"]),
        ("https://evil.test", "http://127.0.0.1:5002"),
        ("", "https://evil.test"),
    ):
        with pytest.raises(RequestRefused):
            provider(deployed).host(Endpoint(NAME, region))
