"""The control API below `/_sim`: what happens at the site, and its faults."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nightscout_sim.faults import Fault, FaultInvalid

if TYPE_CHECKING:
    from nightscout_sim.site import NightscoutSite


_UNKNOWN = 404, {"detail": "no such control call"}
_NO_ENTRY = 404, {"detail": "no such entry"}


def control(site: NightscoutSite, method: str, path: str, body: bytes) -> tuple[int, Any]:
    """The status and the document of one call."""
    try:
        given = json.loads(body) if body else {}
        return _handled(site, method, path.removeprefix("/_sim").strip("/").split("/"), given)
    except (ValueError, KeyError, FaultInvalid) as error:
        return 422, {"detail": str(error)}


def _handled(site: NightscoutSite, method: str, path: list[str], given: Any) -> tuple[int, Any]:
    resource, *rest = path
    match resource:
        case "":
            return 200, {"calls": list(site.calls), "faults": [asdict(fault) for fault in site.faults]}
        case "tokens":
            return _tokens(site, method, rest, given)
        case "faults":
            return _faults(site, method, given)
        case "entries":
            return _entries(site, method, rest, given)
    return _UNKNOWN


def _tokens(site: NightscoutSite, method: str, rest: list[str], given: Any) -> tuple[int, Any]:
    match method, rest:
        case "POST", []:
            return 201, {"token": site.tokens.add(given["name"], *given.get("roles", ()))}
        case "DELETE", [token]:
            site.tokens.revoke(token)
            return 204, None
    return _UNKNOWN


def _faults(site: NightscoutSite, method: str, given: Any) -> tuple[int, Any]:
    match method:
        case "POST":
            site.faults.append(Fault.of(given))
            return 201, asdict(site.faults[-1])
        case "DELETE":
            site.faults.clear()
            return 204, None
    return _UNKNOWN


def _entries(site: NightscoutSite, method: str, rest: list[str], given: Any) -> tuple[int, Any]:
    now_ms, entries = site.now_ms(), site.entries
    match method, rest:
        case "GET", []:
            return 200, entries.changed_since(0)
        case "POST", []:
            return 201, entries.put({**given, "date": int(given["date"])}, modified_ms=now_ms)
        case "PATCH", [entry_id]:
            edited = entries.edit(entry_id, given, modified_ms=now_ms)
            return (200, edited) if edited else _NO_ENTRY
        case "DELETE", [entry_id]:
            for_good = bool(given.get("for_good"))
            return (
                (204, None) if entries.delete(entry_id, modified_ms=now_ms, for_good=for_good) else _NO_ENTRY
            )
    return _UNKNOWN
