"""GluPredKit: a frame of some days. Arguments: address, token, start and end as ISO dates."""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import datetime

from glupredkit.parsers.nightscout import Parser

url, token, start, end = sys.argv[1:5]
try:
    with contextlib.redirect_stdout(sys.stderr):  # The parser prints its progress.
        frame = Parser()(datetime.fromisoformat(start), datetime.fromisoformat(end), url, token)
    known = frame["CGM"].dropna()
    print(json.dumps({"rows": len(known), "mean": float(known.mean())}))
except (AttributeError, TypeError, KeyError) as error:
    print(json.dumps({"refused": type(error).__name__}))
