"""Stores against the tables they were written for."""
