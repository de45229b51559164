"""Inbound webhooks: authenticated, taken once each, and queued."""
