"""A credential together with the only address it is sent to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SiteCredential:
    """
    A secret of one server.

    Address and secret are one text, so they are sealed together. Otherwise a writer of the table could change
    the address, and the secret would be sent to it.
    """

    address: str = field(repr=False)  # Some addresses contain the user's name.
    secret: str = field(repr=False)

    def as_text(self) -> str:
        """The form in which it is a token of the seam; an address contains no space."""
        return f"{self.address} {self.secret}"

    @classmethod
    def of(cls, text: str) -> SiteCredential:
        """Read the form of `as_text`."""
        address, _, secret = text.partition(" ")
        return cls(address, secret)
