"""Mutation testing of the pure core: every small change must fail a test."""
