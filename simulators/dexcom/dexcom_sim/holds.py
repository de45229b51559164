"""
Uploads that are held up: what has not arrived when the hold begins arrives later.

    uploaded   before since    after since             the hold was lifted first
    arrives    as it did       uploaded + delay        when it was lifted

A phone that is found again may send what it kept newest first: what was uploaded last arrives when the hold
is lifted, and what was uploaded first `newest_first_s` later.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why uploads are late; what had arrived before it began stays arrived."""

    number: int
    user: str | None  # None: everyone's.
    since_s: int
    delay_s: int
    lifted_s: int | None = None
    newest_first_s: int = 0  # How long the phone takes to send everything, once it is found.

    def concerns(self, user: str) -> bool:
        """Whether it holds that person's uploads."""
        return self.user in {None, user}

    def arrives_s(self, uploaded_s: int) -> int:
        """When an upload that would have arrived then does arrive."""
        if uploaded_s <= self.since_s:
            return uploaded_s
        late_s = uploaded_s + self.delay_s
        if self.lifted_s is None:
            return late_s
        if uploaded_s >= self.lifted_s:
            return uploaded_s
        age = (self.lifted_s - uploaded_s) / (self.lifted_s - self.since_s)
        return min(late_s, self.lifted_s + int(age * self.newest_first_s))
