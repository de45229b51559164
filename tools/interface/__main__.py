"""Write the description of the interface to where it is served and read: `make interface`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.paths import CHECKOUT
from tools.interface.document import document
from tools.interface.page import page
from tools.interface.table import with_tables

if TYPE_CHECKING:
    from pathlib import Path

SITE = CHECKOUT / "functions" / "site"
API_MD = CHECKOUT / "docs" / "api.md"


def files() -> dict[Path, str]:
    """Every file that is made from the code, with what belongs into it."""
    described = document()
    return {
        SITE / "openapi.json": json.dumps(described, indent=1, ensure_ascii=False) + "\n",
        SITE / "docs.html": page(described),
        API_MD: with_tables(API_MD.read_text(encoding="utf-8"), described),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
