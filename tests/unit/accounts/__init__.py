"""Tests of connections and their secrets."""
