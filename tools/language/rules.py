"""The rules: which forms are banned, where they are allowed, and how a passage is checked against them."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.language.prose import Passage

WORDS_MAX = 30
NAME_LENGTH_MAX = 60
ALLOWED_MAX = 20

_HERE = Path(__file__).parent
_UNREAD = re.compile(r"``[^`]+``|`[^`]+`")
_TAG = re.compile(r"<!--.*?-->|</?[a-z][^>\n]*>")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_ADDRESS = re.compile(r"\b[a-z]+://\S+")
_MARKS = re.compile(r"[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)")
_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bcf)[.!?…][\"')\]]*(?= |$)")
_WORD = re.compile(r"\S*\w\S*")
_IDENTIFIER = re.compile(r"\b[a-z]\w*_\w+\b|\bNone\b")
# Groups of the forms do not capture, since that takes five times as long.
_GROUP = re.compile(r"(?<!\\)\((?!\?)")
# Where a sentence, or a part of one, opens; and behind a conjunction, if it opens with one.
_OPENS = re.compile(r"(?:^|[;:] )[^\w]*()(?:(?:and|but|or|for|since|because|if|when) ())?")


@dataclass(frozen=True, slots=True)
class Form:
    """One banned form."""

    rule: str
    pattern: re.Pattern[str]
    opening: bool
    statement: bool
    write: str
    bad: tuple[str, ...]
    good: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that breaks a rule; `sentence` is what the list of allowed places is compared with."""

    line: int
    rule: str
    message: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """One place where a banned form is right."""

    file: str
    text: str
    reason: str


@cache
def forms() -> tuple[Form, ...]:
    """Every banned form of forms.toml."""
    groups = tomllib.loads((_HERE / "forms.toml").read_text())
    return tuple(_form(rule, entry) for rule, entries in groups.items() for entry in entries)


@cache
def allowed() -> tuple[Allowed, ...]:
    """Every place of allowed.toml."""
    return tuple(
        Allowed(**entry) for entry in tomllib.loads((_HERE / "allowed.toml").read_text()).get("place", [])
    )


def check(passage: Passage) -> Iterator[Finding]:
    """Every rule that a passage breaks."""
    if passage.name:
        yield from _check_name(passage)
        return
    lines = masked(passage.text).split("\n")
    breaks = list(accumulate(len(line) + 1 for line in lines))
    for start, sentence in _sentences(" ".join(lines)):
        for match, form in _banned(sentence, opens=not passage.figure):
            line = passage.line + bisect_right(breaks, start + match.start())
            yield Finding(line, form.rule, _advice(match, form), sentence)
        words = len(_WORD.findall(sentence))
        if passage.prose and words > WORDS_MAX:
            line = passage.line + bisect_right(breaks, start)
            message = f'"{sentence[:40]}…": {words} words, at most {WORDS_MAX}'
            yield Finding(line, "length", message, sentence)


def _form(rule: str, entry: dict[str, str | list[str]]) -> Form:
    where = str(entry.get("where", "anywhere"))
    return Form(
        rule=rule,
        pattern=re.compile(_GROUP.sub("(?:", str(entry["find"]))),
        opening=where.startswith("opening"),
        statement=where.endswith("statement"),
        write=str(entry["write"]),
        bad=tuple(entry["bad"]),
        good=tuple(entry.get("good", ())),
    )


def _check_name(passage: Passage) -> Iterator[Finding]:
    name = passage.text
    if len(name) > NAME_LENGTH_MAX:
        yield Finding(
            passage.line, "name", f"{name}: {len(name)} characters, at most {NAME_LENGTH_MAX}", name
        )
    words = name.lower().removeprefix("test_").replace("_", " ")
    for match, form in _banned(words, opens=True):
        yield Finding(passage.line, form.rule, _advice(match, form), name)


def _advice(match: re.Match[str], form: Form) -> str:
    return f'"{match[0].strip()[:60]}": write {form.write}'


def _banned(sentence: str, *, opens: bool) -> Iterator[tuple[re.Match[str], Form]]:
    sentence = sentence.lower()
    if _any_of(opening=False).search(sentence):
        for form in forms():
            if not form.opening:
                yield from ((match, form) for match in form.pattern.finditer(sentence))
    if opens:
        yield from _banned_openings(sentence, question=sentence.rstrip("\"') ").endswith("?"))


def _banned_openings(sentence: str, *, question: bool) -> Iterator[tuple[re.Match[str], Form]]:
    places = {
        place for opening in _OPENS.finditer(sentence) for place in (opening.start(1), opening.start(2))
    }
    for place in sorted(places - {-1}):
        if _any_of(opening=True).match(sentence, place):
            found = ((form.pattern.match(sentence, place), form) for form in forms() if form.opening)
            yield from ((match, form) for match, form in found if match and not (form.statement and question))


@cache
def _any_of(*, opening: bool) -> re.Pattern[str]:
    """All forms in one expression, so that most sentences need one search and not a hundred."""
    found = "|".join(f"(?:{form.pattern.pattern})" for form in forms() if form.opening is opening)
    return re.compile(rf"\b(?=\w)(?:{found})")


def masked(text: str) -> str:
    """A text with code and addresses replaced by a word, without marks, in the same lines."""
    text = _UNREAD.sub(lambda code: "code" + "\n" * code[0].count("\n"), text)
    text = _IDENTIFIER.sub("code", _ADDRESS.sub("address", _LINK.sub(r"\1", _TAG.sub("", text))))
    return "\n".join(" ".join(line.split()) for line in _MARKS.sub("", text).split("\n"))


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """Where each sentence of a text begins, and the sentence."""
    start = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        sentence = text[start:end]
        if sentence.strip():
            yield start, sentence
        start = end + 1
