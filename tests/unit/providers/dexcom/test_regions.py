from __future__ import annotations

import pytest

from bg_ingest.providers.dexcom.regions import REGIONS, base_url, region_of


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
def test_a_place_is_a_region_or_an_address(place: str, url: str) -> None:
    """The four regions have names; anything else is a base URL."""
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
def test_what_is_neither_is_refused(place: str) -> None:
    """A setting with a typo stops the service instead of sending tokens somewhere."""
    with pytest.raises(ValueError, match="neither a region"):
        base_url(place)


def test_an_address_with_a_password_is_refused() -> None:
    """Base URLs are logged and stored with the connection; and the message does not repeat the password."""
    with pytest.raises(ValueError, match="credentials") as caught:
        base_url("https://ada:secret@api.dexcom.eu")

    assert "secret" not in str(caught.value)


def test_an_address_knows_its_region() -> None:
    """A connection shows the region it belongs to, however its address is written."""
    assert {region_of(url + "/") for url in REGIONS.values()} == set(REGIONS)
    assert region_of("https://API.dexcom.EU") == "eu"
    assert region_of("http://127.0.0.1:8090") == "custom"
