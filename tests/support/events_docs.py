"""The example consumers of docs/events.md, executed as they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.support.documents import DOCS

if TYPE_CHECKING:
    from collections.abc import Callable


def consumer(section: str) -> Callable[..., None]:
    """The function in the first Python block below a heading."""
    text = (DOCS / "events.md").read_text()
    below = text.partition(f"\n## {section}\n")[2]
    found = re.search(r"```python\n(.*?)```", below, re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(compile(found[1], "docs/events.md", "exec"), names)  # noqa: S102 - the page is in this repository.
    consume: Callable[..., None] = names["consume"]
    return consume
