"""What is known about Dexcom, piece by piece."""
