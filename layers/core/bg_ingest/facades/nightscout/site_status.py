"""What a Nightscout site says about itself and about the caller's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bg_ingest.clock import rfc_3339

if TYPE_CHECKING:
    from datetime import datetime

# The version whose answers these are. Clients compare it with the oldest one that they support.
NIGHTSCOUT_VERSION = "15.0.7"
NAME = "bg-ingest"
# No element may be "*" or name a right to create: clients take that for an administrator or a writer.
READ_ONLY = "*:*:read"


def status(now: datetime, authorized: dict[str, Any] | None) -> dict[str, Any]:
    """The body of status.json; `authorized` is None for a caller without a credential."""
    return {
        "status": "ok",
        "name": NAME,
        "version": NIGHTSCOUT_VERSION,
        "serverTime": f"{rfc_3339(now)[:-1]}.000Z",
        "serverTimeEpoch": int(now.timestamp() * 1000),
        "apiEnabled": True,
        "careportalEnabled": False,
        "boluscalcEnabled": False,
        "settings": {
            "units": "mg/dl",
            "timeFormat": 24,
            "thresholds": {"bgHigh": 250, "bgTargetTop": 180, "bgTargetBottom": 70, "bgLow": 54},
            "enable": [],
        },
        "extendedSettings": {},
        "runtimeState": "loaded",
        "authorized": authorized,
    }


def authorized(token: str, label: str, issued_at_s: int, expires_at_s: int) -> dict[str, Any]:
    """What a reader may do, with a token for version 3 clients."""
    return {
        "token": token,
        "sub": label,
        "permissionGroups": [[READ_ONLY]],
        "iat": issued_at_s,
        "exp": expires_at_s,
    }


def verified() -> dict[str, Any]:
    """The body of verifyauth for a reader."""
    message = {
        "canRead": True,
        "canWrite": False,
        "isAdmin": False,
        "message": "OK",
        "rolefound": "FOUND",
        "permissions": "ROLE",
    }
    return {"status": 200, "message": message}


def versions() -> list[dict[str, str]]:
    """The versions of the interface that exist here."""
    return [{"version": "1.0.0", "url": "/api/v1"}, {"version": "2.0.0", "url": "/api/v2"}]


def refusal(status: int, message: str, description: str) -> dict[str, Any]:
    """Nightscout's form of an error."""
    return {"status": status, "message": message, "description": description}
