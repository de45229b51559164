"""nightscout-dash: the entries that it pages through until midnight. Arguments: address, token."""

from __future__ import annotations

import json
import sys
from urllib.parse import urlsplit

from nightscout_dash.main import create_app

url, token = sys.argv[1:3]
address = urlsplit(url)
app = create_app(address.scheme, address.hostname, address.port, token, production=True)
answer = app.test_client().get("/api/glucose")
if answer.status_code != 200:
    print(json.dumps({"refused": answer.get_json()["error"].partition(" for url")[0]}))
else:
    kept = app.config["GLUCOSE_CACHE"]
    print(json.dumps({"values": [[entry["date"] // 1000, entry["sgv"]] for entry in kept]}))
