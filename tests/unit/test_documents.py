"""The documents agree with the repository."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import TYPE_CHECKING, get_args

import pytest

from bg_ingest.publishing.events import EventType
from bg_ingest.version import VERSION
from local.__main__ import _parser as local_parser
from local.paths import CHECKOUT
from tests.support.documents import DOCS, DOCUMENTS, sections, table_rows

if TYPE_CHECKING:
    from pathlib import Path

# How many requirements each letter has; their numbers never change their meaning.
HIGHEST = {"A": 12, "B": 6, "C": 9, "D": 10, "E": 2, "F": 5, "G": 2, "H": 5, "I": 7, "J": 4}
HIGHEST |= {"K": 5, "L": 5, "M": 3, "N": 6, "O": 4, "P": 6, "Q": 5, "R": 6, "S": 8}
# First-round requirements with a part for the second round.
SHARPER = ["A3", "A7", "B3", "D1"]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
README_LINES_MAX = 90
PACKAGE = CHECKOUT / "layers/core/bg_ingest"
_PATH = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|yaml|toml)|(?:[\w.-]+/)+)`")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    """The file of a link exists, and so does the heading in it."""
    # A link may continue on the next line.
    for target in re.findall(r"\]\(\s*((?![a-z]+:)[^)\s]+)\s*\)", document.read_text()):
        path, _, anchor = target.partition("#")
        file = (document.parent / path) if path else document
        assert file.exists(), target
        assert not anchor or anchor in sections(file), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_path_that_is_named_exists(document: Path) -> None:
    """A file or folder of the repository, of the package, or beside the document."""
    named = [path for path in _PATH.findall(document.read_text()) if "/" in path]

    assert [path for path in named if not _exists(path, document.parent)] == []


def test_every_path_of_the_ten_changes_exists() -> None:
    """docs/contributing.md lists ten changes; their files are those of the repository or of the package."""
    rows = list(table_rows((DOCS / "contributing.md").read_text(), "change"))
    paths = [path for cells in rows for path in _PATH.findall(cells[1])]

    assert len(rows) == 10
    assert len(paths) > 20
    assert [path for path in paths if not _exists(path)] == []


def _exists(path: str, *folders: Path) -> bool:
    return any((folder / path).exists() for folder in (CHECKOUT, PACKAGE.parent, PACKAGE, *folders))


def test_every_event_type_is_on_the_page_of_events() -> None:
    """docs/events.md lists the types of the code, no more and no fewer."""
    rows = table_rows((DOCS / "events.md").read_text(), "type")

    assert {cells[0].strip("`") for cells in rows} == set(get_args(EventType))


def test_no_table_is_cut_in_two() -> None:
    """A blank line ends a table, and the rows below it would be shown as text."""
    for document in DOCUMENTS:
        for block in re.split(r"\n\s*\n", document.read_text()):
            if block.lstrip().startswith("| ") and not block.lstrip().startswith("| ---"):
                assert re.search(r"^\s*\|[ :|-]+\|$", block, re.MULTILINE), f"{document.name}: {block[:60]}"


def test_the_cost_adds_up() -> None:
    """Each cost is quantity times price, and the total is their sum."""
    text = (DOCS / "operations.md").read_text().partition("\n## What it costs\n")[2]
    rows = re.findall(r"^\| .+ \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    total = re.search(r"\*\*total\*\* \| \| \| \*\*([\d.]+)\*\*", text)

    assert total is not None
    for quantity, price, cost in rows:
        assert float(cost) == pytest.approx(float(quantity) * float(price), abs=0.0051)
    assert float(total[1]) == pytest.approx(sum(float(cost) for _, _, cost in rows), abs=0.001)


def test_the_floors_are_those_the_linter_checks() -> None:
    """The table of floors in docs/architecture.md lists every part of the package once, on its floor."""
    rows = (DOCS / "architecture.md").read_text().partition("| floor |")[2].partition("\n\n")[0]
    modules = [row.split(" | ")[1] for row in rows.splitlines()[2:]]
    drawn = [set(re.findall(r"`(\w+)`", step)) for cell in modules for step in cell.split(";")]
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    parts = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }

    assert drawn == [set(step.replace("bg_ingest.", "").split(" | ")) for step in layers]
    assert set().union(*drawn) == parts - {"__init__"} | {"functions"}


def test_every_folder_of_the_package_is_explained() -> None:
    """docs/architecture.md lists each folder below the parts of the floors once, and no other folder."""
    rows = table_rows((DOCS / "architecture.md").read_text(), "folder")
    drawn = [folder for cells in rows for folder in re.findall(r"`([\w/]+)/`", cells[0])]

    assert sorted(drawn) == sorted(
        str(path.parent.relative_to(PACKAGE))
        for path in PACKAGE.glob("*/**/__init__.py")
        if path.parents[1] != PACKAGE
    )


def test_every_function_is_in_the_overview() -> None:
    """The picture of docs/architecture.md and the text below it name each function."""
    overview = sections(DOCS / "architecture.md")["overview"]
    functions = [path.parent.name for path in (CHECKOUT / "functions").glob("*/app.py")]

    assert len(functions) > 15
    assert [name for name in functions if not re.search(rf"[─►] (?:\w+, )?{name}\b|`{name}`", overview)] == []


def test_every_dependency_has_its_reason() -> None:
    """Each package of pyproject.toml's groups is listed once with its reason, and no other package is."""
    rows = table_rows((DOCS / "decisions" / "dependencies.md").read_text(), "package")
    named = [name for cells in rows for name in cells[0].split(", ")]
    wanted = {
        re.split(r"[\[<>=]", entry)[0]
        for group in PROJECT["dependency-groups"].values()
        for entry in group
        if isinstance(entry, str)
    }

    assert sorted(named) == sorted(wanted)


def test_decisions_are_listed_newest_first() -> None:
    """Each decision starts with its date, and the pages of a topic are sorted by it."""
    pages = {
        path for path in (DOCS / "decisions").glob("*.md") if path.stem not in {"README", "dependencies"}
    }
    for page in pages:
        decisions = [text for name, text in list(sections(page).items())[1:] if text.strip()]
        dates = [re.match(r"\s*(\d{4}-\d\d-\d\d)\. ", text) for text in decisions]

        assert all(dates), page.name
        assert [date[1] for date in dates if date] == sorted(
            (date[1] for date in dates if date), reverse=True
        )
    assert {f"{page.name})" for page in pages} <= set(
        re.findall(r"\]\((.+?\))", (DOCS / "decisions" / "README.md").read_text())
    )


def test_the_readme_is_short() -> None:
    """A newcomer reads it in one go; every other text is linked."""
    assert len((CHECKOUT / "README.md").read_text().splitlines()) < README_LINES_MAX


def test_the_version_is_the_newest_heading_of_the_changelog() -> None:
    """The code's version and the changelog agree."""
    newest = re.search(r"^## (\S+)", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert newest is not None
    assert newest[1] == VERSION


def test_every_make_target_of_the_documents_exists() -> None:
    """A command in a document can be run."""
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text()
        # Only in code, since "make" is a word of prose too.
        blocks = "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL))
        found = re.findall(r"`make ([a-z-]+)", text) + re.findall(r"^ *make ([a-z-]+)", blocks, re.MULTILINE)
        assert set(found) <= targets, document.name


def test_every_make_target_is_on_the_page_of_commands() -> None:
    """docs/commands.md and the Makefile have the same targets and the same options of `make up`."""
    makefile = (CHECKOUT / "Makefile").read_text()
    page = (DOCS / "commands.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    exported = set(" ".join(re.findall(r"^export ([A-Z_ ]+)$", makefile, re.MULTILINE)).split())
    options = {re.findall(r"`(\w+)=", cells[0])[0] for cells in table_rows(page, "option")}

    assert {cells[0].strip("`").removeprefix("make ") for cells in table_rows(page, "target")} == targets
    assert options | {"DEXCOM_CLIENT_ID", "DEXCOM_CLIENT_SECRET"} == exported | {"DETACH"}


def test_every_local_command_is_on_the_page_of_commands() -> None:
    """docs/commands.md lists each command of `python -m local`, with arguments that the parser accepts."""
    commands = [
        shlex.split(cells[0].strip("`"))[3:]
        for cells in table_rows((DOCS / "commands.md").read_text(), "command")
        if cells[0].startswith("`python -m local ")
    ]
    parser = local_parser()
    choices = next(action.choices for action in parser._actions if action.choices)  # noqa: SLF001 - argparse offers no public list.

    assert choices is not None
    assert {command[0] for command in commands} == set(choices)
    for command in commands:
        parser.parse_args(command)


def test_every_requirement_is_accounted_for() -> None:
    """Each number has one row, in order; the rows of the second round may be in either table."""
    text = (DOCS / "requirements.md").read_text()
    numbers = re.findall(r"^\| ([A-S]\d+) \|", text, re.MULTILINE)
    sharper = re.findall(r"^\| ([A-S]\d+) \(2\) \|", text, re.MULTILINE)

    assert numbers == [f"{letter}{n}" for letter, count in HIGHEST.items() for n in range(1, count + 1)]
    assert sharper == SHARPER


def test_every_requirement_names_its_test() -> None:
    """A row without a test says "not yet"."""
    for number, _, shown in table_rows((DOCS / "requirements.md").read_text(), "number"):
        assert _TEST.search(shown) or "benchmarks/" in shown or "not yet" in shown, number


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_test_that_is_named_exists(document: Path) -> None:
    """A document names no test that is gone."""
    for path, name in _TEST.findall(document.read_text()):
        assert (CHECKOUT / path).exists(), path
        assert not name or f"def {name}(" in (CHECKOUT / path).read_text(), name


def test_every_threat_names_what_stops_it_and_a_test() -> None:
    """Each row has a threat, its prevention and at least one test."""
    text = (DOCS / "security.md").read_text()
    _, _, section = text.partition("## Threats\n")
    rows = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]

    assert len(rows) > 20
    for row in rows:
        _, threat, prevention, shown, _ = row.split("|")
        assert threat.strip()
        assert prevention.strip()
        assert [name for _, name in _TEST.findall(shown) if name], row
