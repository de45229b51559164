"""Write openapi.json, the page at /docs and the tables in docs/api.md: `make interface`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.paths import CHECKOUT
from tools.interface.document import document
from tools.interface.page import with_hashes
from tools.interface.table import with_tables

if TYPE_CHECKING:
    from pathlib import Path

SITE = CHECKOUT / "functions" / "site"
PAGE = SITE / "docs.html"
API_MD = CHECKOUT / "docs" / "api.md"


def files() -> dict[Path, str]:
    """Return every file that is generated from the code, wholly or in part, with its content."""
    return {
        SITE / "openapi.json": json.dumps(document(), indent=1, ensure_ascii=False) + "\n",
        PAGE: with_hashes(PAGE.read_text(encoding="utf-8")),
        API_MD: with_tables(API_MD.read_text(encoding="utf-8"), document()),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
