"""Home Assistant: its integration in a bare core, by its own config flow. Arguments: address, token."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from typing import Any

from homeassistant import bootstrap, loader
from homeassistant.components.network.network import async_get_network
from homeassistant.config_entries import SOURCE_USER, ConfigEntries
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component


async def _set_up(url: str, token: str, folder: str) -> dict[str, Any]:
    hass = HomeAssistant(folder)
    hass.config.config_dir = folder
    hass.config_entries = ConfigEntries(hass, {})
    hass.config.skip_pip = True
    loader.async_setup(hass)
    await bootstrap.async_load_base_functionality(hass)
    await async_get_network(hass)  # The HTTP client of a core needs the list of network adapters.
    await async_setup_component(hass, "sensor", {})
    flow = await hass.config_entries.flow.async_init("nightscout", context={"source": SOURCE_USER})
    sent = {"url": url, "api_key": token}
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], sent)
    await hass.async_block_till_done()
    states = hass.states.async_all("sensor")
    await hass.async_stop(force=True)
    if result["type"] != "create_entry":
        return {"refused": result["errors"]["base"]}
    (state,) = states
    return {"value": state.state, "direction": state.attributes.get("direction"), "title": result["title"]}


with tempfile.TemporaryDirectory() as folder:
    print(json.dumps(asyncio.run(_set_up(sys.argv[1], sys.argv[2], folder))))
