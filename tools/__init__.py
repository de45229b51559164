"""Tools for developers and operators."""
