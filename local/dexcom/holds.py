"""
Uploads that are held up: what has not arrived when the hold begins arrives later.

    uploaded   before since    after since             the hold was lifted first
    arrives    as it did       uploaded + delay        when it was lifted
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

    def concerns(self, user: str) -> bool:
        """Whether it holds that person's uploads."""
        return self.user in {None, user}

    def arrives_s(self, uploaded_s: int) -> int:
        """When an upload that would have arrived then does arrive."""
        if uploaded_s <= self.since_s:
            return uploaded_s
        late_s = uploaded_s + self.delay_s
        return late_s if self.lifted_s is None else min(late_s, max(uploaded_s, self.lifted_s))
