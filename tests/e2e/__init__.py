"""The deployed template, and what it shares, on the emulated AWS."""
