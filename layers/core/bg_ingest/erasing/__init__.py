"""Removing everything that is stored about a person."""
