"""The tests; the folders are the tiers of docs/contributing.md."""
