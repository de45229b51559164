"""The project's documents as tests read them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from local.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCS = CHECKOUT / "docs"
DOCUMENTS = [
    *(CHECKOUT / name for name in ("README.md", "simulators/dexcom/README.md", "tests/simulation/README.md")),
    *sorted(DOCS.rglob("*.md")),
]
_CODE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def sections(document: Path) -> dict[str, str]:
    """The text below each heading, by the heading's anchor as GitHub forms it."""
    found: dict[str, str] = {}
    times: Counter[str] = Counter()
    text = _CODE.sub(lambda code: re.sub(r"^#", " #", code[0], flags=re.MULTILINE), document.read_text())
    for heading, below in re.findall(r"^#+ (.+?) *\n((?:(?!^#).*\n?)*)", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        times[slug] += 1  # GitHub numbers a repeated heading.
        found[slug if times[slug] == 1 else f"{slug}-{times[slug] - 1}"] = below
    return found


def table_rows(text: str, first_column: str) -> Iterator[list[str]]:
    """The cells of every table in the text whose first column has this heading."""
    for table in text.split(f"| {first_column} |")[1:]:
        for line in table.partition("\n\n")[0].splitlines()[2:]:
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]
