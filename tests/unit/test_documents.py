"""The documents say what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bg_ingest.version import VERSION

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = [CHECKOUT / "README.md", CHECKOUT / "local" / "README.md", *(CHECKOUT / "docs").glob("*.md")]
# REQUIREMENTS' numbers never change meaning; how many there are of each letter.
HIGHEST = {"A": 12, "B": 6, "C": 9, "D": 10, "E": 2, "F": 5, "G": 2, "H": 5, "I": 7, "J": 4}
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    """A newcomer who follows one arrives."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_version_is_the_newest_heading_of_the_changelog() -> None:
    """One place to change, and one that follows."""
    newest = re.search(r"^## (\S+)", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert newest is not None
    assert newest[1] == VERSION


def test_every_make_target_of_the_documents_exists() -> None:
    """What is written can be typed."""
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text()
        # Only in code: prose makes many things.
        blocks = "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL))
        found = re.findall(r"`make ([a-z-]+)", text) + re.findall(r"^ *make ([a-z-]+)", blocks, re.MULTILINE)
        assert set(found) <= targets, document.name


def test_every_requirement_is_accounted_for() -> None:
    """Each number has its line, in order, and nothing else has one."""
    text = (CHECKOUT / "docs" / "requirements.md").read_text()
    numbers = re.findall(r"^\| ([A-J]\d+) \|", text, re.MULTILINE)

    assert numbers == [f"{letter}{n}" for letter, count in HIGHEST.items() for n in range(1, count + 1)]


def test_every_requirement_names_its_test() -> None:
    """A line without a test says what is missing."""
    for line in (CHECKOUT / "docs" / "requirements.md").read_text().splitlines():
        if not re.match(r"\| [A-J]\d+ \|", line):
            continue
        shown = _TEST.findall(line)
        assert shown or "not yet" in line, line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(document: Path) -> None:
    """What is said to be shown is."""
    for path, name in _TEST.findall(document.read_text()):
        assert (CHECKOUT / path).exists(), path
        assert not name or f"def {name}(" in (CHECKOUT / path).read_text(), name


def test_every_threat_names_what_stops_it_and_a_test() -> None:
    """A row without a test would be a hope."""
    text = (CHECKOUT / "docs" / "security.md").read_text()
    _, _, section = text.partition("## Who could try what\n")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]

    assert len(rows) > 20
    for row in rows:
        _, who, what, shown, _ = row.split("|")
        assert who.strip()
        assert what.strip()
        assert [name for _, name in _TEST.findall(shown) if name], row
