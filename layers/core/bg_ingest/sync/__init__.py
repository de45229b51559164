"""Bringing readings in: who is due, who holds the lease, from where, and what became of it."""
