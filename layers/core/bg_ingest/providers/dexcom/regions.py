"""Where Dexcom serves: one host for each region, with credentials and data of its own."""

from __future__ import annotations

from urllib.parse import urlsplit

REGIONS = {
    "sandbox": "https://sandbox-api.dexcom.com",
    "us": "https://api.dexcom.com",
    "eu": "https://api.dexcom.eu",  # Europe and the rest of the world.
    "jp": "https://api.dexcom.jp",
}
CUSTOM = "custom"
_SYNONYMS = {"ous": "eu"}  # "Outside the US", as Dexcom calls it.


def base_url(place: str) -> str:
    """The base URL of a region by its name, or `place` itself if it is one; no slash at its end."""
    name = place.strip().lower()
    named = REGIONS.get(_SYNONYMS.get(name, name))
    if named:
        return named
    parts = urlsplit(place.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"neither a region ({', '.join(REGIONS)}) nor a base URL")
    if parts.username or parts.password:
        raise ValueError("a base URL must not carry credentials: it is logged")
    return place.strip().rstrip("/")


def region_of(url: str) -> str:
    """The name of the region a base URL belongs to; "custom" if it is none of Dexcom's."""
    hostname = urlsplit(url).hostname
    return next((name for name, host in REGIONS.items() if urlsplit(host).hostname == hostname), CUSTOM)


# Dexcom's paths, as its documentation has them; no other file knows any.
LOGIN = "/v3/oauth2/login"
TOKEN = "/v3/oauth2/token"  # noqa: S105 - a path.
EGVS = "/v3/users/self/egvs"
DATA_RANGE = "/v3/users/self/dataRange"
DEVICES = "/v3/users/self/devices"
