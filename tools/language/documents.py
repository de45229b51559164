"""Prose of other files: Markdown, HTML, dashboard labels, descriptions in YAML, comments behind "#"."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import takewhile
from typing import TYPE_CHECKING

from tools.language.prose import Passage, comment_block, line_numbers, paragraphs, without_code

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMENT = re.compile(r"(?:^|(?<=\s))#(?!!)[^\n]*", re.MULTILINE)  # Make, shell, YAML, TOML, Dockerfile.
_QUOTED = re.compile(r"'[^'\n]*'|\"(?:\\.|[^\"\\\n])*\"")
_DESCRIPTION = re.compile(
    r"^( *)(?:- )?[\"']?(\w*[Dd]escription|[Tt]itle|[Ss]ummary|[Ll]abel)[\"']?: +(\S.*)$"
)
_LABEL = re.compile(r'"(?:title|label|markdown|description|summary)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_HELP = re.compile(r"^[\w.%/ -]+:.*?## (.*)$", re.MULTILINE)


def markdown(text: str) -> Iterator[Passage]:
    """Titles, table cells, paragraphs and list items; code fences and HTML comments are left out."""
    kept: list[str] = []
    fence = ""
    for number, line in enumerate(text.split("\n"), 1):
        mark = line.lstrip()[:3]
        if mark in {"```", "~~~"} and (not fence or mark == fence):
            fence = "" if fence else mark
            kept.append("")
        elif fence or line.startswith(("[//]", "<!--")):
            kept.append("")
        elif line.lstrip().startswith("|"):
            cells = without_code(line).strip().strip("|").split("|")
            yield from (Passage(number, cell.strip(), prose=False) for cell in cells if cell.strip(" :-"))
            kept.append("")
        elif line.startswith("#"):
            yield Passage(number, line.lstrip("# "), prose=False)
            kept.append("")
        else:
            kept.append(line.removeprefix("> "))
    yield from paragraphs(1, "\n".join(kept))


class _Page(HTMLParser):
    """Gathers what a page shows, outside scripts, styles and code."""

    def __init__(self) -> None:
        super().__init__()
        self.passages: list[Passage] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parser's signature.
        """Enter an element that holds no prose."""
        self._hidden += tag in {"script", "style", "code", "pre"}

    def handle_endtag(self, tag: str) -> None:
        """Leave the element."""
        self._hidden -= tag in {"script", "style", "code", "pre"}

    def handle_data(self, data: str) -> None:
        """Keep a text. It may begin in the middle of a sentence, because tags cut sentences."""
        if not self._hidden and data.strip():
            self.passages.append(Passage(self.getpos()[0], data, prose=False, figure=True))


def html(text: str) -> Iterator[Passage]:
    """The text that a page shows."""
    page = _Page()
    page.feed(text)
    return iter(page.passages)


def labels(text: str) -> Iterator[Passage]:
    """Labels, titles and descriptions in JSON, such as a dashboard's."""
    lines = line_numbers(text)
    for match in _LABEL.finditer(text):
        yield Passage(lines(match.start()), match[1].replace("\\n", " "), prose=False)


def yaml(text: str) -> Iterator[Passage]:
    """Comments, descriptions on one line or in a block, and labels of JSON inside YAML."""
    yield from labels(text)
    yield from commented(text)
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        match = _DESCRIPTION.match(line)
        if not match:
            continue
        value = match[3].strip("'\"")
        if value[:1] in {"|", ">"}:  # A block: every deeper line below belongs to it.
            deeper = re.compile(rf" {{{len(match[1]) + 1},}}|\s*$")
            value = "\n".join(["", *takewhile(deeper.match, lines[number:])])
        yield Passage(number, value, prose=False)


def commented(text: str) -> Iterator[Passage]:
    """Comments behind "#", and the help texts of a Makefile."""
    block: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        help_text = _HELP.match(line)
        if help_text:
            yield Passage(number, help_text[1], prose=False)
            continue
        comment = _COMMENT.search(_QUOTED.sub(lambda quoted: "_" * len(quoted[0]), line))
        if comment is None:
            continue
        text_of_it = line[comment.start() :]
        if line[: comment.start()].strip():
            yield from comment_block([(number, text_of_it)])
            continue
        if block and block[-1][0] != number - 1:
            yield from comment_block(block)
            block = []
        block.append((number, text_of_it))
    yield from comment_block(block)
