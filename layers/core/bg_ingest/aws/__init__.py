"""Calls to AWS, made for short cold starts and cheap calls, and secrets that are kept for some minutes."""
