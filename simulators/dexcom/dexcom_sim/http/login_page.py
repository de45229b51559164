"""HTML of the login page: a choice of sandbox users, and the buttons Authorize and Deny."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dexcom_sim.people.population import SimulatedPerson

_STYLE = """
  body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 2rem auto; padding: 0 1rem; }
  label { display: block; padding: .6rem; border: 1px solid #ccc; border-radius: .5rem; margin: .4rem 0; }
  small { color: #555; display: block; padding-left: 1.7rem; }
  button { font: inherit; padding: .7rem 1.4rem; border: 1px solid #999; border-radius: .5rem; }
  button { margin: 1rem .5rem 0 0; background: #fff; color: #222; }
  button[value=authorize] { background: #286; color: #fff; border-color: #286; }
"""


def login_page(client_id: str, people: Iterable[SimulatedPerson], hidden: Mapping[str, str]) -> str:
    """The login page. The form sends the `hidden` values back."""
    hidden_inputs = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in hidden.items()
    )
    choices = "\n".join(_choice(person, first=number == 0) for number, person in enumerate(people))
    body = f"""<p><strong>{escape(client_id)}</strong> asks to read glucose readings.
This is a simulated Dexcom: no account, no password, no real person.</p>
<form method="post">
{hidden_inputs}
{choices}
<button name="decision" value="authorize">Authorize</button>
<button name="decision" value="deny">Deny</button>
</form>"""
    return _page("Simulated Dexcom", body)


def problem_page(why: str) -> str:
    """A page that tells the user why the login link is invalid."""
    return _page("This link does not work", f"<p>{escape(why)}</p>")


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def _choice(person: SimulatedPerson, *, first: bool) -> str:
    name, checked = escape(person.name), " checked" if first else ""
    return f"""<label><input type="radio" name="user" value="{name}"{checked}> {name}
<small>{escape(person.describe())}</small></label>"""
