"""Base URLs of Dexcom's regions, and the paths of its endpoints."""

from __future__ import annotations

from urllib.parse import urlsplit

# Each region has its own accounts, data and credentials.
REGIONS = {
    "sandbox": "https://sandbox-api.dexcom.com",
    "us": "https://api.dexcom.com",
    "eu": "https://api.dexcom.eu",  # Europe and the rest of the world.
    "jp": "https://api.dexcom.jp",
}
CUSTOM = "custom"
_SYNONYMS = {"ous": "eu"}  # "Outside the US" in Dexcom's documentation.

LOGIN = "/v3/oauth2/login"
TOKEN = "/v3/oauth2/token"  # noqa: S105 - a path.
EGVS = "/v3/users/self/egvs"
DATA_RANGE = "/v3/users/self/dataRange"
DEVICES = "/v3/users/self/devices"


def base_url(place: str) -> str:
    """The base URL of a region, or `place` itself if it is a base URL; without a slash at its end."""
    name = place.strip().lower()
    named = REGIONS.get(_SYNONYMS.get(name, name))
    if named:
        return named
    parts = urlsplit(place.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"neither a region ({', '.join(REGIONS)}) nor a base URL")
    if parts.username or parts.password:
        raise ValueError("a base URL must not contain credentials, because it is logged")
    return place.strip().rstrip("/")


def hosts_of(deployed: str) -> dict[str, str]:
    """
    The base URL that each region's tokens are sent to; `deployed` is that of this deployment's setting.

    A region has its fixed host. Only "custom" is the host of the setting, and only if that is a custom one.
    """
    return REGIONS | ({CUSTOM: deployed} if region_of(deployed) == CUSTOM else {})


def region_of(url: str) -> str:
    """The region that a base URL belongs to; "custom" for any other URL."""
    hostname = urlsplit(url).hostname
    return next((name for name, host in REGIONS.items() if urlsplit(host).hostname == hostname), CUSTOM)
