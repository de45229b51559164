"""How long a test waits for something to come true, on a machine that has other things to do."""

from __future__ import annotations

# Nobody waits longer than it takes; only a test that fails does.
PENDING_S_MAX = 300.0
