"""Dexcom simulator: Dexcom's web API as documented and as observed, with made-up users and their readings."""
