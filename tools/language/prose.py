"""
Passage: a piece of prose and the line where it begins.

A passage is one paragraph, list item, table cell, string or name. Its text keeps its line breaks, so that an
offset in it can be turned into a line of the file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DIRECTIVE = re.compile(r"#\s*(?:noqa\b:?[A-Z0-9, ]*(?:- )?|type:\s*ignore\S*|pragma:.*|fmt:.*|syntax=.*)")
_DRAWN = re.compile(r"[|\u2190-\u21ff\u2500-\u257f\u25a0-\u25ff]|->|<-|=>|--(?![a-z])|\+-")
_CODE = re.compile(r"[=(){}\[\]]|>>>|^\s*[$@]")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")


@dataclass(frozen=True, slots=True)
class Passage:
    """Some prose, and where it begins."""

    line: int
    text: str
    prose: bool = True  # Whole sentences: their length counts. Labels, strings, cells and figures are not.
    figure: bool = False  # A line of an indented block: it may begin anywhere in a sentence.
    name: bool = False  # A test's name.


def paragraphs(first_line: int, text: str) -> Iterator[Passage]:
    """The paragraphs and list items of a text. Drawn lines are left out, indented lines are figures."""
    gathered: list[str] = []
    began, in_list = first_line, False
    for number, line in enumerate([*text.split("\n"), ""], first_line):
        item = _ITEM.match(line)
        drawn = _DRAWN.search(without_code(line)) is not None
        indented = line.startswith("    ") and not (in_list or item)
        if gathered and (item or drawn or indented or not line.strip()):
            yield Passage(began, "\n".join(gathered))
            gathered = []
        if not line.strip() or drawn:
            in_list = in_list and not drawn
            continue
        if indented:
            if not _CODE.search(without_code(line)):
                yield Passage(number, line.strip(), prose=False, figure=True)
            continue
        in_list = bool(item) or (in_list and line.startswith(" "))
        if not gathered:
            began = number
        gathered.append(line[item.end() :] if item else line)


def comment_block(comments: list[tuple[int, str]]) -> Iterator[Passage]:
    """Comments of adjacent lines, read as one text."""
    if comments:
        lines = [_DIRECTIVE.sub("", comment).lstrip("#").removeprefix(" ") for _, comment in comments]
        yield from paragraphs(comments[0][0], "\n".join(lines))


def without_code(line: str) -> str:
    """A line with a word in place of each piece of inline code."""
    return re.sub(r"`[^`\n]*`", "code", line)


def line_numbers(text: str) -> Callable[[int], int]:
    """A function that finds the line of an offset in a text."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return lambda offset: bisect_right(starts, offset)
