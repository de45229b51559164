"""The longest time that a test waits for a condition, on a busy machine."""

from __future__ import annotations

# Only a failing test waits this long.
WAIT_S_MAX = 300.0
