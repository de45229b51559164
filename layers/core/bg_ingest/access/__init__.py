"""Authorization of callers."""
