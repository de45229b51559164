"""The small page a person sees when they come back from the provider: no script, readable on a phone."""

from __future__ import annotations

from html import escape

CONNECTED = (
    "You are connected",
    "Your glucose readings will arrive here from now on. You can close this page.",
)
DENIED = (
    "You are not connected",
    "You chose not to share your data. Nothing was stored; you can close this page.",
)
EXPIRED = (
    "This login is no longer valid",
    "It was used before, or is older than ten minutes. Please start again where you came from.",
)
UNAVAILABLE = (
    "The connection did not work",
    "The provider cannot be reached at the moment. Please start again in a few minutes, where you came from.",
)
FULL = (
    "Nobody can be connected at the moment",
    "The provider lets no more people connect to this service. Trying again will not help for now.",
)
FAILED = (
    "The connection did not work",
    "The provider did not accept the login. Please start again where you came from.",
)


def page(title: str, text: str) -> str:
    """One page."""
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
@media (prefers-color-scheme: dark) {{ body {{ color: #e6ebf0; background: #14191f; }} }}
</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p>{escape(text)}</p>
</main>
</body>
</html>
"""
