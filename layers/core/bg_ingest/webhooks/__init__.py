"""Webhooks in: whose word is taken, each of them once, and what becomes of it."""
