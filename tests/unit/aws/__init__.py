"""The clients of AWS."""
