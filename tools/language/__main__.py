"""`python -m tools.language [PATH...]`: prints every place that breaks a language rule; exits 1 if any."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tools.language import repository, rules

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None, root: Path = _ROOT) -> int:
    """Check the paths, print each finding, then a count per rule."""
    parser = argparse.ArgumentParser(prog="tools.language", description="Check the language of all prose.")
    parser.add_argument("paths", nargs="*", help="files or folders; the whole repository by default")
    paths = parser.parse_args(arguments).paths
    counts: Counter[str] = Counter()
    for name, finding in repository.findings(root, repository.files(root, paths), rules.allowed()):
        print(f"{name}:{finding.line}: {finding.rule}: {finding.message}")
        counts[finding.rule] += 1
    for place in [] if paths else repository.unused(root, rules.allowed()):
        print(f"tools/language/allowed.toml:1: allowed: no longer in {place.file}: {place.text}")
        counts["allowed"] += 1
    if counts:
        print(", ".join(f"{rule} {count}" for rule, count in counts.most_common()))
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main())
