"""Calls to AWS, made for short cold starts and cheap calls."""
