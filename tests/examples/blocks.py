"""The commands of a document's shell examples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PLACEHOLDER = re.compile(r"<(\w+)>")
_ASSIGNED = re.compile(r"([A-Z]+)=")
_SILENT = re.compile(r"#|\w+\(\)|echo .*>")


@dataclass(frozen=True, slots=True)
class ExampleCommand:
    """One command of an example, with its continuation lines."""

    text: str

    @property
    def variable(self) -> str | None:
        """The variable that the command sets."""
        found = _ASSIGNED.match(self.text)
        return found[1] if found else None

    @property
    def shows(self) -> bool:
        """Whether the command prints something."""
        return self.variable is None and not _SILENT.match(self.text)

    @property
    def may_repeat(self) -> bool:
        """Whether the command only reads, so that it can be repeated until data has arrived."""
        return "curl" in self.text and not re.search(r" -(X|d) ", self.text)

    def filled(self, members: Mapping[str, object]) -> str:
        """The command with a value for each `<name>`: the member of an earlier response."""
        return _PLACEHOLDER.sub(lambda name: str(members[name[1]]), self.text)


def commands(document: str) -> Iterator[ExampleCommand]:
    """Every command of the document's `sh` blocks, in order."""
    for block in _BLOCK.findall(document):
        for line in block.replace("\\\n", " ").splitlines():
            text = re.sub(r"\s+# .*$", "", line).strip()
            if text and not text.startswith("#"):
                yield ExampleCommand(text)


def complaint(output: str, exit_code: int) -> str | None:
    """The reason why the output of a command shows no success; None if it does."""
    if exit_code:
        return f"exit code {exit_code}"
    if not output.strip():
        return "it printed nothing"
    if re.match(r'\s*\{"type":\s*"https://bg-ingest\.dev/problems/', output):
        return "the response is a problem"
    if '{"message": "Unauthorized"}' in output:
        return "the gateway refused the token"
    if re.fullmatch(r'\s*(\[\]|\{"\w+":\s*\[\]\})\s*', output):
        return "the response has no data"
    return None
