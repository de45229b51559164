"""Tests of one piece at a time, with no I/O."""
