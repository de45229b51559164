"""
Hashes of the Swagger UI files in the HTML page at /docs.

Swagger UI (Apache-2.0) is part of Powertools, so its files are already in the layer; the site function serves
them. The page names each file with its hash. So the browser rejects a file with other content, and it fetches
a new version at once although it may keep the old one for a year.
"""

from __future__ import annotations

import base64
import hashlib
import re

from functions.site.app import SWAGGER_UI

_ASSET = re.compile(r'docs/([\w.-]+)\?v=\w*" integrity="[^"]*"')


def with_hashes(page: str) -> str:
    """Return the page with the hashes of the installed files."""
    return _ASSET.sub(lambda match: _asset(match[1]), page)


def _asset(name: str) -> str:
    digest = hashlib.sha256((SWAGGER_UI / name).read_bytes())
    integrity = base64.b64encode(digest.digest()).decode()
    return f'docs/{name}?v={digest.hexdigest()[:12]}" integrity="sha256-{integrity}"'
