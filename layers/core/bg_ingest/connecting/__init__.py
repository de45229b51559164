"""Connecting a person to their Dexcom account."""
