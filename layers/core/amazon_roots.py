"""Writes Amazon's root certificates into the layer. The layer's build runs it."""

# Every endpoint of AWS has a certificate of one of these: https://www.amazontrust.com/repository/
# Loading the five takes a millisecond of a cold start, and loading a whole bundle twenty.
#
#   python3 amazon_roots.py <certifi's cacert.pem> <target file>

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOTS = (
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
)


def roots(bundle: str) -> str:
    """The certificates of ROOTS from certifi's bundle, whose comments name their subjects."""
    found = [
        block[block.index("-----BEGIN") :]
        for block in bundle.split("# Issuer:")[1:]
        if re.search(rf"^# Subject: CN=({'|'.join(map(re.escape, ROOTS))}) O=", block, re.MULTILINE)
    ]
    if len(found) != len(ROOTS):
        raise ValueError(f"the bundle has {len(found)} of {len(ROOTS)} of Amazon's roots")
    return "".join(found)


if __name__ == "__main__":
    bundle, into = map(Path, sys.argv[1:])
    into.write_text(roots(bundle.read_text()))
