"""py-nightscout: status, entries, treatments and devices of a site. Arguments: address, token."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiohttp import ClientResponseError
from py_nightscout import Api


async def _read(url: str, token: str) -> dict[str, Any]:
    api = Api(url, api_secret=token)
    try:
        status = await api.get_server_status()
        entries = await api.get_sgvs()
        treatments, devices = await api.get_treatments(), await api.get_devices_status()
    except ClientResponseError as error:
        return {"refused": f"ClientResponseError {error.status}"}
    typed = all(isinstance(entry.delta, float | int) and entry.date.tzinfo for entry in entries)
    return {
        "status": status.status,
        "values": [[int(entry.date.timestamp()), entry.sgv] for entry in entries],
        "is_typed": bool(typed),
        "others": len(treatments) + len(devices),
    }


print(json.dumps(asyncio.run(_read(*sys.argv[1:3]))))
