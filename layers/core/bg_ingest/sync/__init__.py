"""Syncing readings: due users, leases, windows, and the outcomes as jobs."""
