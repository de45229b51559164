"""Connecting a user to their account at the provider."""
