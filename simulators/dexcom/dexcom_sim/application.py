"""The client application that people connect to."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Application:
    """What is registered with Dexcom about it."""

    client_id: str = "bg-ingest"
    client_secret: str = field(default="bg-ingest-secret", repr=False)
    redirect_uris: tuple[str, ...] = ()  # Empty: any http or https address will do.

    def accepts_redirect(self, redirect_uri: str) -> bool:
        """Whether Dexcom would send people there."""
        if self.redirect_uris:
            return redirect_uri in self.redirect_uris
        return redirect_uri.startswith(("http://", "https://"))

    def knows(self, client_id: str, client_secret: str) -> bool:
        """Whether these are its credentials."""
        same_secret = secrets.compare_digest(client_secret.encode(), self.client_secret.encode())
        return client_id == self.client_id and same_secret
