"""Finding the commands of shell examples, and judging their output."""

from __future__ import annotations

import pytest

from tests.examples.blocks import ExampleCommand, commands, complaint

DOCUMENT = """
```sh
API=http://127.0.0.1:5001
# A comment.
curl -s "$API/health"   # another one
curl -s \\
  "$API/ready"
```
```json
{"not": "a command"}
```
"""


def test_commands_are_found_in_order() -> None:
    """Comments are left out, and continued lines are one command."""
    assert [command.text for command in commands(DOCUMENT)] == [
        "API=http://127.0.0.1:5001",
        'curl -s "$API/health"',
        'curl -s    "$API/ready"',
    ]


def test_an_assignment_shows_nothing() -> None:
    """The other commands print a response."""
    assert [(command.variable, command.shows) for command in commands(DOCUMENT)] == [
        ("API", False),
        (None, True),
        (None, True),
    ]


def test_a_placeholder_is_the_member_of_a_response() -> None:
    """An unknown one is an error of the document."""
    command = ExampleCommand('curl "<authorize_url>&sim_user=SandboxUser3"')

    assert (
        command.filled({"authorize_url": "http://login?x=1"})
        == 'curl "http://login?x=1&sim_user=SandboxUser3"'
    )
    with pytest.raises(KeyError):
        command.filled({})


@pytest.mark.parametrize(
    ("output", "exit_code", "reason"),
    [
        ('{"status": "ok"}', 0, None),
        ('{"status": "ok"}', 22, "exit code 22"),
        ("\n", 0, "it printed nothing"),
        ("[]", 0, "the response has no data"),
        ('{"days":[]}', 0, "the response has no data"),
        ('{"type":"https://bg-ingest.dev/problems/not-found"}', 0, "the response is a problem"),
    ],
)
def test_output_that_shows_nothing_is_a_complaint(output: str, exit_code: int, reason: str | None) -> None:
    """An error, a problem document and an empty list show that an example is out of date."""
    assert complaint(output, exit_code) == reason
