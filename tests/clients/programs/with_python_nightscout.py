"""python-nightscout: the entries of the last day. Arguments: address, token, start as an ISO date."""

from __future__ import annotations

import json
import sys

import nightscout

url, token, since = sys.argv[1:4]
try:
    found = nightscout.Api(url, api_secret=token).get_sgvs({"count": 1000, "find[dateString][$gte]": since})
    print(json.dumps({"values": [[int(entry.date.timestamp()), entry.sgv] for entry in found]}))
except (AttributeError, TypeError, KeyError) as error:
    # The library takes every answer for a list of entries.
    print(json.dumps({"refused": type(error).__name__}))
