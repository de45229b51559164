"""Simulated people: who they are, their glucose, their sensors, and when their readings reach Dexcom."""
