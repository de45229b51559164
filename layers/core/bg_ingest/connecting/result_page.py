"""The page a user sees after the provider's login page; no script, readable on a phone."""

from __future__ import annotations

from html import escape

CONNECTED = (
    "You are connected",
    "Your glucose readings will arrive here from now on. You can close this page.",
)
WAITING = (
    "One more step",
    (
        "Your login waits for its confirmation. Enter the code that was shown here in the app you came from."
        " If you no longer have it, start a new login there."
    ),
)
OTHER_ACCOUNT = (
    "This is another account",
    (
        "Your stored readings belong to another account at the provider, so this login was not used."
        " Please log in with the account you used before."
    ),
)
DENIED = (
    "You are not connected",
    "You chose not to share your data. Nothing was stored; you can close this page.",
)
EXPIRED = (
    "This login is no longer valid",
    "It was used before, or is older than ten minutes. Please start a new login in the app you came from.",
)
UNAVAILABLE = (
    "The connection failed",
    "The provider cannot be reached right now. Please start a new login in a few minutes.",
)
FULL = (
    "No more users can connect right now",
    "The provider accepts no more users for this service. A new login will not help for now.",
)
FAILED = (
    "The connection failed",
    "The provider did not accept the login. Please start a new login in the app you came from.",
)


def confirm_page(user_id: str, code: str) -> str:
    """The page with the code that confirms a login, and the user that it would connect."""
    more = f"""<p>This login was started for the user <strong>{escape(user_id)}</strong>.</p>
<p>If that is you, enter this code in the app you came from, within ten minutes:</p>
<p><code>{escape(code)}</code></p>
<p>If that is not you, close this page. Do not give the code to another person: your readings would go to
them.</p>"""
    return _page("One more step", more)


def result_page(title: str, text: str) -> str:
    """One page."""
    return _page(title, f"<p>{escape(text)}</p>")


def _page(title: str, content: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
body {{ font: 1.125rem/1.5 system-ui, sans-serif; margin: 15vh auto 0; max-width: 32rem; padding: 0 1.5rem;
  color: #1c2733; background: #fff; }}
h1 {{ font-size: 1.5rem; line-height: 1.25; }}
code {{ font-size: 1.25rem; overflow-wrap: anywhere; user-select: all; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e6ebf0; background: #14191f; }} }}
</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{content}
</main>
</body>
</html>
"""
