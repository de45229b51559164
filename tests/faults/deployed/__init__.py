"""Faults on the deployed stack: the real functions, queue, tables and client; then all have to be whole."""
