"""Fault injection on the deployed stack: real functions, queue, tables and client."""
