"""Merging of fetched records into stored hours. Pure functions."""
