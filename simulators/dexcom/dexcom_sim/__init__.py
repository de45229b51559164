"""Dexcom simulator: Dexcom's web API as documented and as observed, with simulated users and readings."""
