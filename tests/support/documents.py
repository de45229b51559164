"""The project's documents as tests read them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from local.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = [
    *(CHECKOUT / name for name in ("README.md", "simulators/dexcom/README.md", "tests/simulation/README.md")),
    *(CHECKOUT / "docs").glob("*.md"),
]
_CODE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def sections(document: Path) -> dict[str, str]:
    """The text below each heading, by what stands behind a `#` in a link to it, in GitHub's form."""
    found: dict[str, str] = {}
    times: Counter[str] = Counter()
    text = _CODE.sub(lambda code: re.sub(r"^#", " #", code[0], flags=re.MULTILINE), document.read_text())
    for heading, below in re.findall(r"^#+ (.+?) *\n((?:(?!^#).*\n?)*)", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        times[slug] += 1  # GitHub numbers a heading that comes again.
        found[slug if times[slug] == 1 else f"{slug}-{times[slug] - 1}"] = below
    return found
