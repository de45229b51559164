"""Clients of AWS, made for short cold starts."""
