from __future__ import annotations

import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from tools.language import repository, rules
from tools.language.__main__ import main
from tools.language.passages import in_file
from tools.language.rules import ALLOWED_MAX, Allowed, Finding, Form

ROOT = Path(__file__).parents[2]

# Each kind of text with a hole for a sentence.
HOLES = {
    "comment": ("worker.py", "# The worker stores readings.\n# {}\nLIMIT = 1\n"),
    "docstring": ("worker.py", 'def work() -> None:\n    """Store readings.\n\n    {}\n    """\n'),
    "markdown": ("guide.md", "# Guide\n\nThe worker stores readings. {}\n"),
    "error": ("http_api/problems.py", 'GONE = Kind("gone", 404, "The user is unknown", "{}")\n'),
    "alarm": ("template.yaml", '  Alarm:\n    Properties:\n      AlarmDescription: "{}"\n'),
}
FORMS = [(form, bad) for form in rules.forms() for bad in form.bad]
LONG = " ".join(["word"] * 30) + "."

CLEAN = {
    "worker.py": '''\
        """
        Worker: stores the readings of one user.

            read        store
          --|-----------|----> nobody holds the lease
            |<- lease ->|

        It retries a call that failed, see `whoever_asks()`:

            nobody = await whatever()
        """

        # noqa: ERA001 - the rule does not apply here.
        #   +-- nobody ---> somebody
        nobody = "whatever it"[:3]  # The reading is valid.
        ''',
    "guide.md": """\
        # Guide

        The worker stores readings (`nobody` is a key), see [the page](whoever.md) and https://nobody.example/told.

        ```sh
        curl https://nobody.example/whoever  # nobody answers
        ```

        | field | meaning |
        |---|---|
        | `told` | the time of the event |
        """,
    "template.yaml": """\
        # The queue of the worker.
        Queue:
          Description: >-
            Orders that wait
            for the worker.
          Name: nobody-whoever-told
        """,
    "Makefile": "test: all ## Run the tests\n\t@echo nobody whoever told\n",
}


def found(name: str, text: str) -> list[Finding]:
    """Every finding in a file of that name and text."""
    return [finding for passage in in_file(Path(name), text) for finding in rules.check(passage)]


@pytest.mark.parametrize("name", CLEAN)
def test_clean_text_code_and_drawings_pass(name: str) -> None:
    """Plain sentences, code, addresses, tables of names and drawings are not reported."""
    assert found(name, dedent(CLEAN[name])) == []


@pytest.mark.parametrize("kind", HOLES)
def test_banned_form_is_reported_in_every_kind_of_text(kind: str) -> None:
    """Each banned form is reported, with its advice and its line, wherever it is written."""
    assert [bad for form, bad in FORMS if not _is_reported(form, bad, kind)] == []


def _is_reported(form: Form, bad: str, kind: str) -> bool:
    name, hole = HOLES[kind]
    text = hole.format(bad)
    line = text[: text.index(bad)].count("\n") + 1
    return (line, form.rule) in {
        (finding.line, finding.rule) for finding in found(name, text) if finding.message.endswith(form.write)
    }


@pytest.mark.parametrize("kind", HOLES)
def test_good_sentences_pass_in_every_kind_of_text(kind: str) -> None:
    """The sentences that only look like a banned form are not reported."""
    name, hole = HOLES[kind]
    good = [sentence for form in rules.forms() for sentence in form.good]
    assert {sentence: found(name, hole.format(sentence)) for sentence in good} == {key: [] for key in good}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Makefile", "test: all ## Run what nobody runs\n\tpytest\n"),
        ("Makefile", "# Run what nobody runs\ntest:\n"),
        ("run.sh", "true  # nobody runs it\n"),
        ("run", "#!/bin/sh\n# nobody runs it\n"),
        ("Dockerfile", "# nobody runs it\nFROM scratch\n"),
        ("template.yaml", "Key: 1 # nobody reads it\n"),
        ("template.yaml", "Description: >-\n  The key that\n  nobody reads\nName: key\n"),
        ("template.yaml", '  {"title": "Users nobody polls", "x": 0}\n'),
        ("dashboard.json", '{"properties": {"label": "nobody"}}'),
        ("page.html", "<style>p { }</style><p>Here <b>nobody</b> reads.</p>"),
        ("guide.md", "| a | b |\n|---|---|\n| x | nobody reads it |\n"),
        ("guide.md", "# A title that nobody reads\n"),
        ("guide.md", "- The first item.\n- The item that\n  nobody reads.\n"),
        ("worker.py", 'raise Problem(f"{name}: read by nobody")\n'),
        ("tests/test_worker.py", "def test_poll_that_nobody_sends() -> None: ...\n"),
    ],
)
def test_every_kind_of_file_is_read(name: str, text: str) -> None:
    """Help texts, labels, tables, titles, pages and names are prose too."""
    assert [finding.rule for finding in found(name, text)] == ["subject"]


def test_form_is_found_across_a_line_break() -> None:
    """A form may begin on one line and end on the next; the line where it begins is reported."""
    (finding,) = found("worker.py", "# The order was\n# put\n# off by the worker.\n")
    assert (finding.line, finding.rule) == (2, "direct")


def test_sentence_of_31_words_is_too_long() -> None:
    """Thirty words pass and one more does not, for each sentence by itself."""
    text = f"{LONG} {LONG}\n{LONG.removesuffix('.')} word. {LONG}"
    (finding,) = found("guide.md", text)
    assert (finding.line, finding.rule) == (2, "length")


def test_length_of_tables_and_strings_is_free() -> None:
    """Cells and strings are not paragraphs."""
    assert found("guide.md", f"| a |\n|---|\n| {LONG.removesuffix('.')} word |\n") == []
    assert found("problems.py", f'TEXT = "{LONG.removesuffix(".")} word"\n') == []


def test_test_name_of_61_characters_is_too_long() -> None:
    """Sixty characters pass and one more does not; other functions' names are free."""
    name = "test_" + "x" * 55
    assert found("tests/test_it.py", f"def {name}() -> None: ...\n") == []
    assert [it.rule for it in found("tests/test_it.py", f"def {name}x() -> None: ...\n")] == ["name"]
    assert found("tests/helper.py", f"def _{name}x() -> None: ...\n") == []


def test_strings_of_tests_are_not_prose() -> None:
    """A test may hold any text as its data."""
    assert found("tests/test_it.py", 'TEXT = "a text that nobody reads"\n') == []


def test_allowed_places_are_few_and_have_reasons() -> None:
    """The list of exceptions stays short, is up to date, and says why."""
    places = rules.allowed()
    assert len(places) <= ALLOWED_MAX == 20
    assert all(len(place.reason.split()) >= 3 for place in places)
    assert repository.unused(ROOT, places) == []


def test_allowed_place_is_not_reported(tmp_path: Path) -> None:
    """An exception covers its own sentence in its own file, and is reported when its text has gone."""
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("The `route` is open\nto anybody.\n\nIt is open to nobody.\n")
    place = Allowed("a.md", "The `route` is open to anybody", "a quotation of the standard")
    paths = [tmp_path / "a.md", tmp_path / "b.md"]
    kept = [(name, finding.line) for name, finding in repository.findings(tmp_path, paths, [place])]
    assert kept == [("a.md", 4), ("b.md", 2), ("b.md", 4)]
    assert repository.unused(tmp_path, [place]) == []
    (tmp_path / "a.md").write_text("The route is open.")
    assert repository.unused(tmp_path, [place]) == [place]


def test_generated_files_and_licences_are_skipped() -> None:
    """Every tracked file is read except generated ones and texts of third parties."""
    names = {path.relative_to(ROOT).as_posix() for path in repository.files(ROOT)}
    assert {"CHANGELOG.md", "Makefile", "template.yaml", "tests/tools/test_language.py"} <= names
    assert not {name for name in names if name.endswith(("LICENSE", "/openapi.json", "requirements.txt"))}


def test_command_prints_places_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command names file, line and advice, counts by rule, and exits 1; without findings it exits 0."""
    (tmp_path / "good.md").write_text("The worker stores readings.\n")
    (tmp_path / "bad.md").write_text("The worker\nserves nobody.\n")
    for arguments in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)  # noqa: S603, S607 - fixed arguments.
    assert main(["bad.md", "good.md"], tmp_path) == 1
    place, count = capsys.readouterr().out.splitlines()
    assert place.startswith('bad.md:2: subject: "nobody": write ')
    assert count == "subject 1"
    assert main(["good.md"], tmp_path) == 0
    assert capsys.readouterr().out == ""
