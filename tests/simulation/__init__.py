"""The real engine against a hostile, seeded schedule."""
