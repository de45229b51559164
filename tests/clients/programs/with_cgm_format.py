"""cgm-format: a unified frame of some days. Arguments: address, token, days, a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
from cgm_format.format_parser import FormatParser
from cgm_format.nightscout_downloader import download_nightscout

url, token, days, folder = sys.argv[1:5]
try:
    entries, treatments, _ = download_nightscout(url, Path(folder), token=token, days=int(days))
    frame = FormatParser.from_nightscout_exports(entries, treatments)
    rows = frame.select("datetime", "glucose").drop_nulls().rows()
    print(json.dumps({"glucose": [value for _, value in rows], "rows": len(rows)}))
except httpx.HTTPStatusError as error:
    print(json.dumps({"refused": f"HTTPStatusError {error.response.status_code}"}))
