"""Readings: what one is, the hours they are kept in, and where those hours are stored."""
