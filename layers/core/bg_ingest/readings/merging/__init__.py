"""Merging fetched records into stored hours; pure functions."""
